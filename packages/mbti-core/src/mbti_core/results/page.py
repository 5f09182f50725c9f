"""From a plan and its rows to the HTML page: tables, trigger examples, curves, scores, facts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbti_core.results.table import ResultTable

if TYPE_CHECKING:
    from mbti_core.engine.graph import Node, Plan
    from mbti_core.engine.store import Store
    from mbti_core.plugins.manager import Registry
    from mbti_core.results.sections import Section

_EXAMPLES = 8


def write_page(plan: Plan, rows: Sequence[Mapping[str, Any]], store: Store, registry: Registry) -> Path:
    """Write the page of a plan, or find it there from a run with the same rows.

    Args:
        plan: Names the artifacts behind the rows.
        rows: One per planned row.
        store: Where the artifacts are; the page goes to ``ROOT/reports/``.
        registry: Renders samples and brings extra sections.

    Returns:
        The page.
    """
    done = [f"{row.get('status')} {planned.ref}" for row, planned in zip(rows, plan.rows, strict=True)]
    digest = hashlib.sha256("\n".join(done).encode()).hexdigest()[:12]
    name = str(rows[0]["name"]).replace("/", "-")
    path = store.root / "reports" / f"{name}-{digest}.html"
    if path.is_file():
        return path
    from mbti_core.results.report import write_report  # noqa: PLC0415 - a finished run draws no page again

    table = ResultTable([dict(row) for row in rows])
    sections = [*_examples(plan, store, registry), *_curves(plan, store), *_scores(plan, store)]
    sections += _triggers(plan, store, registry)
    for answer in registry.pm.hook.mbti_report_sections(results=table):
        sections += answer
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_report(path, table, sections, name, _facts(plan, rows, store))


def _complete(plan: Plan, store: Store, stage: str) -> list[Node]:
    return [n for n in plan.nodes.values() if n.stage == stage and store.has(stage, n.key)]


def _examples(plan: Plan, store: Store, registry: Registry) -> list[Section]:
    """Show some test rows of each attack, clean beside triggered; one gallery for all its seeds."""
    from mbti_core.engine.keys import key_of  # noqa: PLC0415 - only a fresh page needs it
    from mbti_core.errors import NotSupportedError  # noqa: PLC0415 - as above
    from mbti_core.results.gallery import gallery_html, load_samples  # noqa: PLC0415 - imports torch
    from mbti_core.results.sections import Section  # noqa: PLC0415 - as above

    first: dict[str, Node] = {}
    for node in _complete(plan, store, "poison"):
        if node.payload["role"] == "triggered":
            said = {name: value for name, value in node.payload.items() if name not in ("attack_seed", "inputs")}
            data = plan.nodes[node.inputs["data"]].payload["component"]
            first.setdefault(key_of({**said, "data": data}), node)
    sections = []
    for node in first.values():
        try:
            html = gallery_html(load_samples(node, store, registry, _EXAMPLES), registry.adapters)
        except NotSupportedError:
            continue
        sections.append(Section(f"Trigger examples: {node.label}", html))
    return sections


def _curves(plan: Plan, store: Store) -> list[Section]:
    from mbti_core.data.artifacts import load_json  # noqa: PLC0415 - imports torch, only a fresh page needs it
    from mbti_core.results.curves import curve_svg  # noqa: PLC0415 - as above
    from mbti_core.results.sections import Section  # noqa: PLC0415 - as above

    series: dict[str, list[float]] = {}
    for node in _complete(plan, store, "train"):
        loss = load_json(store.folder(node.stage, node.key) / "history.json").get("loss", [])
        if loss:
            seed = node.payload.get("train_seed")
            series[f"{node.label}, seed {seed}"] = loss
    return [Section("Training loss", curve_svg(series, "Training loss per epoch", "cross-entropy"))] if series else []


def _scores(plan: Plan, store: Store) -> list[Section]:
    """Draw the scores of each detector on the victim, clean rows against poisoned ones."""
    import torch  # noqa: PLC0415 - only a fresh page needs it

    from mbti_core.contracts.attack import RowKind  # noqa: PLC0415 - as above
    from mbti_core.data.artifacts import load_array  # noqa: PLC0415 - as above
    from mbti_core.results.curves import histogram_svg  # noqa: PLC0415 - as above
    from mbti_core.results.sections import Section  # noqa: PLC0415 - as above
    from mbti_core.stages.defend import DefenseResult  # noqa: PLC0415 - as above

    drawn = []
    for node in _complete(plan, store, "defend"):
        stage, key = node.inputs["suspects"].split("/")
        result = DefenseResult.load(store.folder(node.stage, node.key))
        if stage != "poison" or "scores" not in result.arrays:
            continue
        kind = load_array(store.folder(stage, key), "kind")[result.arrays["rows"]]
        scores = result.arrays["scores"]
        finite = torch.isfinite(scores)
        clean, bad = (scores[finite & (kind == k)].tolist() for k in (RowKind.CLEAN, RowKind.POISONED))
        drawn.append(
            f"<figure>{histogram_svg(clean, bad, result.facts['threshold'])}<figcaption>{escape(node.label)}"
            "</figcaption></figure>"
        )
    return [Section("Detector scores", f'<div class="gallery">{"".join(drawn)}</div>')] if drawn else []


def _triggers(plan: Plan, store: Store, registry: Registry) -> list[Section]:
    """Show what inspections reversed, each trigger alone."""
    import torch  # noqa: PLC0415 - only a fresh page needs it

    from mbti_core.data.artifacts import load_json  # noqa: PLC0415 - as above
    from mbti_core.engine.execute import Work  # noqa: PLC0415 - as above
    from mbti_core.errors import NotSupportedError  # noqa: PLC0415 - as above
    from mbti_core.results.sections import Section  # noqa: PLC0415 - as above

    drawn = []
    for node in _complete(plan, store, "defend"):
        folder = store.folder(node.stage, node.key)
        targets = load_json(folder / "outcome.json").get("triggers", [])
        if not targets:
            continue
        prepared = Work(node, store, registry, torch.device("cpu"), lambda done, total, loss: None).prepared
        modality = prepared.parts["train"].modality
        samples = modality.open(folder / "triggers").take(torch.arange(len(targets)))
        try:
            pages = registry.adapters.render(samples, modality.name)
        except NotSupportedError:
            continue
        drawn += [
            f"<figure>{page.html}<figcaption>{escape(node.label)}: {escape(prepared.classes[target])}"
            "</figcaption></figure>"
            for page, target in zip(pages, targets, strict=True)
        ]
    return [Section("Reversed triggers", f'<div class="gallery of-1">{"".join(drawn)}</div>')] if drawn else []


def _facts(plan: Plan, rows: Sequence[Mapping[str, Any]], store: Store) -> dict[str, Any]:
    from importlib.metadata import version  # noqa: PLC0415 - one use

    first = next(node for node in plan.nodes.values() if node.stage == "evaluate" and store.has("evaluate", node.key))
    numerics = {
        name: value for name, value in store.manifest("evaluate", first.key)["numerics"].items() if value is not None
    }
    seconds = sum(store.manifest(n.stage, n.key)["seconds"] for n in plan.nodes.values() if store.has(n.stage, n.key))
    return {
        "experiment": rows[0]["name"],
        "data set": rows[0]["dataset"],
        "seeds": ", ".join(sorted({str(row["seed"]) for row in rows})),
        "mbti-core": version("mbti-core"),
        **numerics,
        "compute, all stages": f"{seconds:.0f} s",
        "stages": len(plan.nodes),
    }
