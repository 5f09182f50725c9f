"""``mbti export``: options, and the way to what it does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mbti_core.api import default_data_root
from mbti_core.cli.completion import complete_component
from mbti_core.cli.options import DataRoot, Json, StoreRoot
from mbti_core.cli.run import SET

_ROLE = (
    "train: all training rows. triggered: test rows with the trigger. cover: test rows with the trigger of cover rows. "
    "benign: training rows without the attack. reserve: the defender's clean rows. victim: the attacked model. "
    "twin: the model that was trained without the attack."
)
_Role = Literal["train", "triggered", "cover", "benign", "reserve", "victim", "twin"]


def export(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="A YAML file, or the name of a built-in experiment.")],
    output: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the files go: a folder that is not there yet.")],
    role: Annotated[_Role, typer.Option(help=_ROLE)] = "train",
    attack: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which attack of a grid.", autocompletion=complete_component("attack")),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Which seed, where the spec has several.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=SET)] = None,
    data_root: DataRoot = None,
    store: StoreRoot = None,
    json: Json = False,
) -> None:
    """Write a split or a model as files that others read.

    A split: a folder per class, a file per row, and a table that says what was done to each. A model: its weights, and
    a description that 'mbti scan' reads.

    What is in the store is not computed again; nothing is trained for it.
    """
    from mbti_core.cli import exported  # noqa: PLC0415 - imports torch

    asked = exported.Asked(
        spec=spec, output=output, role=role, attack=attack, seed=seed, sets=tuple(set_ or ()), json=json
    )
    exported.export(asked, data_root or default_data_root(), store)
