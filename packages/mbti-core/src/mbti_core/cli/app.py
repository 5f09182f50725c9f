"""The typer application: every command, and those that plugins add."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from mbti_core.cli import fetch, plugin, store
from mbti_core.cli.console import say
from mbti_core.cli.doctor import doctor
from mbti_core.cli.export import export
from mbti_core.cli.listing import list_components
from mbti_core.cli.results import results
from mbti_core.cli.run import SWEEP_HELP, run
from mbti_core.cli.scan import scan
from mbti_core.cli.show import show
from mbti_core.cli.show_sample import show_sample
from mbti_core.cli.validate import validate
from mbti_core.plugins.manager import registry

HELP = "Attack, defend and evaluate backdoors in neural networks, on one pipeline."


def build_app() -> typer.Typer:
    """Return the application with the commands of core and of the installed plugins.

    Raises:
        PluginConflictError: If two plugins register the same component.
    """
    app = typer.Typer(name="mbti", help=HELP, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.callback(invoke_without_command=True)(_root)
    app.command("run")(run)
    app.command("sweep", help=SWEEP_HELP)(run)
    app.command("results")(results)
    app.command("list")(list_components)
    app.command("show")(show)
    app.command("show-sample")(show_sample)
    app.command("export")(export)
    app.command("scan")(scan)
    app.command("validate")(validate)
    app.add_typer(fetch.app)
    app.add_typer(store.app)
    app.add_typer(plugin.app)
    app.command("doctor")(doctor)
    _add_plugin_commands(app)
    return app


def _root(
    ctx: typer.Context,
    version_: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; works with every command.")
    ] = False,
) -> None:
    del debug  # taken out of the words before typer reads them
    if version_:
        typer.echo(f"mbti {version('mbti-core')}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def _add_plugin_commands(app: typer.Typer) -> None:
    """Ask one plugin after the other, so that one that fails takes nobody's command away."""
    pm = registry().pm
    plugins = [p for _, p in pm.list_name_plugin() if p is not None]
    for asked in plugins:
        try:
            pm.subset_hook_caller("mbti_commands", [p for p in plugins if p is not asked])(app=app)
        except Exception as error:
            say(f"warning: plugin {pm.get_name(asked)!r} failed to add its commands: {type(error).__name__}: {error}")
