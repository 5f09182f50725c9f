"""What ``mbti show-sample`` does, once torch may be imported: a part of a plan, run as far as its samples need."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mbti_core.cli.console import console, print_json
from mbti_core.cli.options import open_store
from mbti_core.cli.part_of_plan import run_part
from mbti_core.engine.config import Experiment
from mbti_core.engine.graph import Node, Plan
from mbti_core.engine.overrides import Override, parse_set
from mbti_core.engine.plan import RunOptions, make_plan
from mbti_core.engine.specfile import load_spec
from mbti_core.engine.store import Store
from mbti_core.errors import ConfigError
from mbti_core.plugins.manager import Registered, registry
from mbti_core.results.gallery import Samples, gallery_html, load_samples
from mbti_core.results.markup import templates
from mbti_core.results.writing import write_whole

_TRAIN, _TEST = 500, 1000
_ROLES = {
    "triggered": "test rows with the trigger",
    "cover": "test rows with the trigger of cover rows",
    "train": "training rows that the attack changes",
}


@dataclass(frozen=True)
class Asked:
    """What the person asked for; see the command's options."""

    attack: Registered
    dataset: str | None
    rows: int
    role: str
    target: str | None
    sets: tuple[str, ...]
    seed: int | None
    spec: str | None
    output: Path | None
    json: bool


def modality_of(spec: str) -> str | None:
    """Return the modality that a spec says, if it says one: it tells apart attacks of one name."""
    said: str | None = load_spec(spec, registry(), []).raw.get("modality")
    return said


def show(asked: Asked, data_root: Path, store: Path | None) -> None:
    """Make the samples as far as they are not in the store, and write the page or the picture.

    Raises:
        ConfigError: If the spec is not valid, has no such attack, or needs a model that its store does not hold.
        NotSupportedError: If samples of this modality cannot be shown so.
    """
    with _opened(asked, store) as folder:
        # Few rows gain nothing from a second thread, and lose much where another process holds its core.
        options = RunOptions(store=folder, data_root=data_root, threads=1 if asked.spec is None else None)
        experiment = _experiment(asked, data_root)
        plan = make_plan([experiment], registry(), options)
        node = _node(plan, asked)
        hint = f"Run 'mbti run {asked.spec}' first, or leave out --spec to train a small one here."
        run_part(plan, node, options, hint, train=asked.spec is None)
        samples = load_samples(node, Store(folder), registry(), asked.rows)
        if not len(samples.index):
            raise ConfigError(f"There are no {_ROLES[asked.role]} here.", "Take more rows: --set dataset.test=NUMBER.")
        path = asked.output or Path(f"{asked.attack.component.name}-{experiment.dataset.name}.html")
        content = _picture(samples) if path.suffix == ".png" else _page(samples, experiment, asked)
        write_whole(path, content)
    _say(samples, path, json=asked.json)


@contextmanager
def _opened(asked: Asked, store: Path | None) -> Iterator[Path]:
    if store is not None or asked.spec is not None:
        yield open_store(store).root
        return
    with tempfile.TemporaryDirectory(prefix="mbti-sample-") as folder:
        yield Path(folder)


def _experiment(asked: Asked, data_root: Path) -> Experiment:
    component = asked.attack.component
    flags: dict[str, Any] = {"--dataset": ("dataset", asked.dataset), "--seed": ("seeds", asked.seed)}
    if asked.spec is None:
        flags |= {
            "--modality": ("modality", component.modality),
            "ATTACK": ("attack", component.name),
            "--defense": ("defenses", "none"),
        }
    given = [Override(label, (key,), value) for label, (key, value) in flags.items() if value is not None]
    if asked.target is not None:
        given.append(parse_set(f"attack.target={asked.target}")._replace(label="--target"))
    given += [parse_set(text) for text in asked.sets]
    found = load_spec(asked.spec, registry(), given).resolve(registry())
    if asked.spec is None:
        return _small(found[0], data_root)
    fitting = [e for e in found if e.attack is not None and e.attack.registered.component.id == component.id]
    if not fitting:
        there = sorted({e.attack.name for e in found if e.attack is not None})
        raise ConfigError(f"{asked.spec} has no attack {component.name!r}.", f"It has {', '.join(there) or 'none'}.")
    return fitting[0]


def _small(experiment: Experiment, data_root: Path) -> Experiment:
    """Return the experiment with few rows, unless the person said how many."""
    dataset = experiment.dataset
    options = dataset.options
    if options.train is None:
        rows = len(dataset.settings.load("train", data_root).y)  # type: ignore[attr-defined]  # a data set's settings
        options = options.model_copy(update={"train": max(1, min(_TRAIN, int(rows * (1 - options.reserve))))})
    if options.test is None:
        options = options.model_copy(update={"test": _TEST})
    return replace(experiment, dataset=replace(dataset, options=options))


def _node(plan: Plan, asked: Asked) -> Node:
    for node in plan.nodes.values():
        if node.stage == "poison" and node.payload["role"] == asked.role:
            return node
    raise ConfigError(
        f"--role {asked.role}: {asked.attack.component.name} makes no {_ROLES[asked.role]}.", "Leave it out."
    )


def _picture(samples: Samples) -> bytes:
    shown = [x for x in (samples.clean, samples.changed, samples.difference) if x is not None]
    return registry().adapters.picture(shown, samples.modality)


def _page(samples: Samples, experiment: Experiment, asked: Asked) -> bytes:
    component = asked.attack.component
    page = templates().get_template("samples.html")
    return page.render(
        title=f"{component.name} on {experiment.dataset.name}",
        summary=f"{component.summary}: {_ROLES[asked.role]}.",
        gallery=gallery_html(samples, registry().adapters),
        facts=_facts(samples, experiment).items(),
    ).encode()


def _facts(samples: Samples, experiment: Experiment) -> Mapping[str, Any]:
    attack, dataset = experiment.attack, experiment.dataset
    assert attack is not None
    settings = ", ".join(f"{name} {value}" for name, value in attack.settings.model_dump(mode="json").items())
    measured = registry().adapters.fidelity(samples.clean, samples.changed, samples.modality)
    return {
        "attack": attack.registered.component.id,
        "settings": settings or "none",
        "target": attack.options.target,
        "seed": experiment.seeds.label(),
        "data set": dataset.registered.component.id,
        "training rows": dataset.options.train or "all",
        **{f"{name.upper()}, mean": f"{float(values.double().mean()):.4g}" for name, values in measured.items()},
        "mbti-core": version("mbti-core"),
    }


def _say(samples: Samples, path: Path, *, json: bool) -> None:
    if json:
        keys = zip(samples.index.tolist(), samples.truth, samples.labels, strict=True)
        shown = [{"index": index, "truth": truth, "label": label} for index, truth, label in keys]
        print_json({"output": str(path), "samples": shown})
    else:
        console().print("\n".join([*_written(samples), f"{len(samples.index)} samples: {path}"]), soft_wrap=True)


def _written(samples: Samples) -> Iterator[str]:
    """Yield samples that can be written as lines: clean, and with the trigger, marked where it can be."""
    changed = samples.difference if isinstance(samples.difference, Sequence) else samples.changed
    pages = [registry().adapters.render(x, samples.modality) for x in (samples.clean, changed)]
    for clean, bad, truth, label in zip(*pages, samples.truth, samples.labels, strict=True):
        if bad.text:
            yield f"{truth}: {clean.text}\n{label}: {bad.text}\n"
