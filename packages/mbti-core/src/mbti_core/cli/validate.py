"""``mbti validate``: read a spec, load its components, check every setting; run nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from mbti_core.cli.console import console, print_json
from mbti_core.cli.options import Json
from mbti_core.errors import MbtiError


def validate(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A YAML file, or the name of a built-in experiment.")],
    json: Json = False,
) -> int:
    """Check a spec without running it; says all mistakes at once."""
    from mbti_core.cli import experiment  # noqa: PLC0415 - imports torch

    try:
        found = experiment.resolved(file, ())
    except MbtiError as error:
        if json:
            print_json({"file": file, "valid": False, "problems": experiment.problems(error), "experiments": []})
        raise
    if json:
        described = [experiment.described(e) for e in found]
        print_json({"file": file, "valid": True, "problems": [], "experiments": described})
    else:
        console().print(f"{file}: valid, {len(found)} experiment{'s' * (len(found) != 1)}.", soft_wrap=True)
    return 0
