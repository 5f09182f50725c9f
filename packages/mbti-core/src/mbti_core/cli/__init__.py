"""The command line ``mbti``: one file per command; nothing imports torch until a command needs it."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import typer

from mbti_core.cli.app import build_app
from mbti_core.cli.console import print_error
from mbti_core.errors import MbtiError

INTERRUPTED = 130


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        args: What stands after ``mbti``; by default that of this process.

    Returns:
        The exit code: 0 all done, 1 a run failed, 2 usage or config, 3 component or plugin, 4 data, 5 not supported,
        6 something suspicious was found, 130 interrupted.
    """
    words = list(sys.argv[1:] if args is None else args)
    debug = "--debug" in words  # taken at any place, so that no command has to declare it
    try:
        command = typer.main.get_command(build_app())
        result = command(args=[w for w in words if w != "--debug"], prog_name="mbti", standalone_mode=False, obj=debug)
        sys.stdout.flush()
    except MbtiError as error:
        if debug:
            traceback.print_exc()
        print_error(error.message, error.hint)
        return error.exit_code
    except typer.TyperException as error:  # a word that no command knows, a missing argument, ...
        context = getattr(error, "ctx", None)
        print_error(error.format_message(), f"Run '{context.command_path if context else 'mbti'} --help'.")
        return error.exit_code
    except BrokenPipeError:  # the reader has seen enough, as in 'mbti list | head'
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return result if isinstance(result, int) else 0
