"""``mbti run`` and ``mbti sweep``: plan, run what is missing, show the table."""

from __future__ import annotations

from typing import Annotated

import typer

from mbti_core.api import default_data_root, default_store
from mbti_core.cli.completion import complete_component, complete_modality, complete_stage
from mbti_core.cli.options import DataRoot, Json, StoreRoot

SWEEP_HELP = "Run a grid; what a method cannot do is recorded, no failure."
SET = "Set any key, e.g. attack.ratio=0.05; may be repeated."


def _component(kind: str, text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(metavar="NAME", help=text, autocompletion=complete_component(kind))
    return option


def run(
    ctx: typer.Context,
    spec: Annotated[
        str | None, typer.Argument(metavar="SPEC", help="A YAML file, or the name of a built-in experiment.")
    ] = None,
    dataset: Annotated[str | None, _component("dataset", "Data set.")] = None,
    noise: Annotated[list[str] | None, _component("noise", "Noise; may be repeated, 'none' for none.")] = None,
    attack: Annotated[str | None, _component("attack", "Attack, or 'none'.")] = None,
    model: Annotated[str | None, _component("model", "Model.")] = None,
    defense: Annotated[list[str] | None, _component("defense", "Defense; may be repeated, 'none' for none.")] = None,
    modality: Annotated[
        str | None, typer.Option(metavar="NAME", help="Modality of the experiment.", autocompletion=complete_modality)
    ] = None,
    seeds: Annotated[str | None, typer.Option(metavar="SEEDS", help="For example 0-4 or 0,1,2.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=SET)] = None,
    data_root: DataRoot = None,
    store: StoreRoot = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda:0.")] = "auto",
    executor: Annotated[str, typer.Option(help="serial, processes, or one that a plugin brings.")] = "serial",
    workers: Annotated[int, typer.Option(min=1, help="Stages at once, for executors that run several.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of each stage.  [else: by model]", show_default=False)
    ] = None,
    force: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STAGE",
            help="Compute a stage and all after it again; may be repeated.",
            autocompletion=complete_stage,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the stages and stop.")] = False,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no HTML page.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print lines where there is no terminal.")] = False,
    json: Json = False,
) -> int:
    """Run an experiment; without a spec a built-in one, offline.

    What is in the store is not computed again.
    """
    from mbti_core.cli import experiment  # noqa: PLC0415 - imports torch
    from mbti_core.engine.plan import RunOptions  # noqa: PLC0415 - as above

    flags = {"dataset": dataset, "noise": noise, "attack": attack, "model": model, "defenses": defense}
    asked = experiment.Asked(
        spec=spec,
        overrides=experiment.overrides(flags | {"modality": modality, "seeds": seeds}, set_ or ()),
        sweep=ctx.info_name == "sweep",
        report=not no_report,
        verbose=verbose,
        json=json,
        debug=bool(ctx.obj),
    )
    options = RunOptions(
        store=store or default_store(),
        data_root=data_root or default_data_root(),
        device=device,
        threads=threads,
        executor=executor,
        workers=workers,
        force=tuple(force or ()),
    )
    return experiment.dry_run(asked, options) if dry_run else experiment.run(asked, options)
