"""``mbti plugin``: what is installed, whether it keeps the contracts, and a start for one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mbti_core.cli.completion import complete_plugin
from mbti_core.cli.console import console, print_json, print_table, say
from mbti_core.cli.options import Json
from mbti_core.errors import RunFailedError
from mbti_core.plugins.manager import PluginStatus, registry

app = typer.Typer(name="plugin", help="Plugins: list, check, start a new one.", rich_markup_mode=None)


@app.command("list")
def list_plugins(json: Json = False) -> None:
    """List plugins, those that cannot be loaded with their error."""
    statuses = registry().statuses
    if json:
        print_json({"plugins": [vars(s) for s in statuses]})
        return
    rows = [(s.name, s.distribution, s.version, str(s.components), _state(s)) for s in statuses]
    print_table(("name", "package", "version", "components", "state"), rows)


def _state(status: PluginStatus) -> str:
    if status.blocked:
        return "blocked by MBTI_DISABLE_PLUGINS"
    return f"broken: {status.error}" if status.error else "works"


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(metavar="NAME", autocompletion=complete_plugin)], json: Json = False
) -> None:
    """Run every check of the conformance kit on a plugin's components."""
    from mbti_core.testing.planning import plan_checks, run_check  # noqa: PLC0415 - imports torch

    results = []
    for planned in plan_checks(name):
        results.append(result := run_check(planned))
        if not json:
            why = result.message.removeprefix(f"{result.id}: ")
            lines = f"{result.status:<8} {result.id}  {result.seconds:.1f} s{f'  {why}' if why else ''}"
            console().print(lines, soft_wrap=True)
    counts = {word: sum(r.status == word for r in results) for word in ("passed", "failed", "skipped")}
    if json:
        print_json({"plugin": name, "counts": counts, "checks": [vars(r) for r in results]})
    if counts["failed"]:
        raise RunFailedError(
            f"{counts['failed']} of {len(results)} checks of the plugin {name!r} failed.",
            "Each says above what it found, and what to do.",
        )
    say(f"{counts['passed']} checks passed, {counts['skipped']} skipped")


@app.command("new")
def new(name: Annotated[str, typer.Argument(metavar="NAME", help="Also the name of the attack in it.")]) -> None:
    """Write a plugin project with one attack and its tests into ./NAME."""
    from mbti_core.cli.scaffold import new_plugin  # noqa: PLC0415 - needed here alone

    folder = new_plugin(name, Path())
    typer.echo(f"{folder}/ holds a plugin with one attack. Next:")
    typer.echo(f"  pip install -e {folder}\n  mbti plugin check {name}\n  mbti run --attack {name}")
