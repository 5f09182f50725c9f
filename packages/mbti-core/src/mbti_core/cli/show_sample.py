"""``mbti show-sample``: options, and the way to what it does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mbti_core.api import default_data_root
from mbti_core.cli.completion import complete_component
from mbti_core.cli.options import DataRoot, Json, Modality
from mbti_core.cli.run import SET
from mbti_core.cli.show import find_by_name
from mbti_core.errors import ConfigError

_SPEC = "Take everything from this spec, and samples from its store; nothing is trained for it."
_STORE = "Where artifacts are found and kept.  [else: with --spec MBTI_STORE or ./runs; without it nothing is kept]"
_ROWS = "triggered: test rows with the trigger. cover: test rows with the trigger of cover rows. train: training rows."


def show_sample(
    attack: Annotated[str, typer.Argument(metavar="ATTACK", autocompletion=complete_component("attack"))],
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME", help="Data set.", autocompletion=complete_component("dataset"))
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="How many.")] = 8,
    role: Annotated[Literal["triggered", "cover", "train"], typer.Option(help=_ROWS)] = "triggered",
    target: Annotated[str | None, typer.Option(metavar="CLASS", help="A class, a list of them, or all-to-all.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=SET)] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the attack.")] = None,
    spec: Annotated[str | None, typer.Option(metavar="FILE", help=_SPEC)] = None,
    modality: Modality = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An .html page or a .png picture.  [else: ATTACK-DATASET.html]")
    ] = None,
    data_root: DataRoot = None,
    store: Annotated[Path | None, typer.Option(metavar="FOLDER", help=_STORE, show_default=False)] = None,
    json: Json = False,
) -> None:
    """Show what an attack does to samples, as a page or a picture.

    Without a spec, the modality's built-in experiment is used, with 500 training rows: an attack that learns its
    trigger learns it from those, beside the small model of that experiment.
    """
    if output is not None and output.suffix not in (".html", ".png"):
        raise ConfigError(f"--output: expected a file ending in .html or .png, got {str(output)!r}.", "Rename it.")
    from mbti_core.cli import samples  # noqa: PLC0415 - imports torch

    component = find_by_name("attack", attack, modality or (samples.modality_of(spec) if spec else None))
    asked = samples.Asked(
        attack=component,
        dataset=dataset,
        rows=rows,
        role=role,
        target=target,
        sets=tuple(set_ or ()),
        seed=seed,
        spec=spec,
        output=output,
        json=json,
    )
    samples.show(asked, data_root or default_data_root(), store)
