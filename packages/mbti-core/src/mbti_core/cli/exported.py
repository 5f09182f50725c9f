"""What ``mbti export`` does, once torch may be imported: a part of a plan, run as far as is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mbti_core.cli.console import print_json, say
from mbti_core.cli.options import open_store
from mbti_core.cli.part_of_plan import run_part
from mbti_core.engine.config import Experiment
from mbti_core.engine.graph import Node, Plan
from mbti_core.engine.overrides import Override, parse_set
from mbti_core.engine.plan import RunOptions, make_plan
from mbti_core.engine.specfile import load_spec
from mbti_core.engine.store import Store
from mbti_core.errors import ConfigError
from mbti_core.plugins.manager import registry
from mbti_core.results.sample_files import check_free, write_model, write_samples


@dataclass(frozen=True)
class Asked:
    """What the person asked for; see the command's options."""

    spec: str
    output: Path
    role: str
    attack: str | None
    seed: int | None
    sets: tuple[str, ...]
    json: bool


def export(asked: Asked, data_root: Path, store: Path | None) -> None:
    """Make what is asked for as far as it is not in the store, and write its files.

    Raises:
        ConfigError: If the spec is not valid, leads to no such thing or to several, needs a model that the store does
            not hold, or the folder cannot be written.
        NotSupportedError: If samples of this modality are written by no plugin.
    """
    check_free(asked.output)
    options = RunOptions(store=open_store(store).root, data_root=data_root)
    plan = make_plan(_experiments(asked), registry(), options)
    node = _the_one(_nodes(plan, asked.role), asked)
    run_part(plan, node, options, f"Run 'mbti run {asked.spec}' first.", train=False)
    store_, plugins, out = Store(options.store), registry(), asked.output
    if node.stage == "train":
        count, what = write_model(node, store_, plugins, out), "tensors"
    else:
        count, what = write_samples(node, store_, plugins, out, reserve=asked.role == "reserve"), "rows"
    if asked.json:
        print_json({"output": str(out), what: count, "artifact": node.ref})
    else:
        say(f"{count} {what} ({node.label}): {out}")


def _nodes(plan: Plan, role: str) -> Sequence[Node]:
    """Return the stages whose output plays a role."""
    if role in ("train", "triggered", "cover"):
        return [n for n in plan.nodes.values() if n.stage == "poison" and n.payload["role"] == role]
    bare = [plan.nodes[row.ref].inputs for row in plan.rows if row.about["defense"] == "none"]
    twins = [plan.nodes[inputs["twin"]].inputs for inputs in bare if "twin" in inputs]
    found = {
        "victim": [inputs["model"] for inputs in bare],
        "twin": [inputs["model"] for inputs in twins],
        "reserve": [inputs["prepare"] for inputs in bare],
        "benign": [plan.nodes[inputs["model"]].inputs["data"] for inputs in twins],
    }[role]
    return [plan.nodes[ref] for ref in dict.fromkeys(found)]


def _experiments(asked: Asked) -> Sequence[Experiment]:
    given = [] if asked.seed is None else [Override("--seed", ("seeds",), asked.seed)]
    found = load_spec(asked.spec, registry(), given + [parse_set(text) for text in asked.sets]).resolve(registry())
    fitting = [e for e in found if e.attack is not None and asked.attack in (None, e.attack.name)]
    if not fitting:
        there = sorted({e.attack.name for e in found if e.attack is not None})
        raise ConfigError(
            f"{asked.spec} has no attack{f' {asked.attack!r}' if asked.attack else ''}.",
            f"It has {', '.join(there) or 'none'}.",
        )
    return fitting


def _the_one(found: Sequence[Node], asked: Asked) -> Node:
    one, several = ("model", "models") if asked.role in ("victim", "twin") else ("rows", "splits")
    if not found:
        raise ConfigError(f"--role {asked.role}: {asked.spec} leads to no such {one}.", "Take another --role.")
    if len(found) > 1:
        raise ConfigError(
            f"{asked.spec} leads to {len(found)} such {several}: {'; '.join(sorted({node.label for node in found}))}.",
            "Choose one with --attack, --seed, or what the grid varies with --set.",
        )
    return found[0]
