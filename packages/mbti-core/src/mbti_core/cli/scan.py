"""``mbti scan``: judge a model and data that somebody was given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mbti_core.cli.completion import complete_component
from mbti_core.cli.options import Json

_MODEL = "A folder of 'mbti export --role victim' or of the transformers library, or a file of weights (with --arch)."
_DATA = "Samples that it was trained on: a folder per class, or for texts a table or JSON lines."
_CLEAN = "Samples that you trust, laid out like the data; a few hundred. Without them, much cannot be run."
_ARCH = "Architecture of a file of weights: MODALITY/NAME as in 'mbti list models', or a name that a plugin knows."
_SET = "Set a setting of the model or of a defense, e.g. nc.steps=50; may be repeated."


def scan(
    model: Annotated[Path, typer.Option(metavar="PATH", help=_MODEL)],
    data: Annotated[Path, typer.Option(metavar="PATH", help=_DATA)],
    clean: Annotated[Path | None, typer.Option(metavar="PATH", help=_CLEAN)] = None,
    arch: Annotated[str | None, typer.Option(metavar="NAME", help=_ARCH)] = None,
    defense: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Run this defense only; may be repeated.  [else: all that judge, but for those that train anew]",
            autocompletion=complete_component("defense"),
            show_default=False,
        ),
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=_SET)] = None,
    rows: Annotated[int, typer.Option(min=2, help="Look at no more samples, drawn by class.")] = 50_000,
    costly_rows: Annotated[
        int, typer.Option(min=2, help="The same for a defense that takes many forward passes for each.")
    ] = 2_000,
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where report, reversed triggers and the list of samples go.")
    ] = Path("scan"),
    sarif: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a SARIF document, too.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda:0.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Of all draws.")] = 0,
    json: Json = False,
) -> int:
    """Judge a model and the data it was trained on, both from files, without knowing what was done to them.

    Exit codes: 0 nothing found, or not sure; 6 suspicious; others as everywhere.
    """
    from mbti_core.cli import scanned  # noqa: PLC0415 - imports torch
    from mbti_core.judging.case import Asked  # noqa: PLC0415 - as above

    asked = Asked(
        model=model,
        data=data,
        clean=clean,
        arch=arch,
        settings=scanned.settings(set_ or ()),
        defenses=tuple(defense or ()),
        rows=rows,
        costly_rows=costly_rows,
        seed=seed,
    )
    return scanned.run(asked, device, output, sarif, json=json)
