"""Samples beside what an attack makes of them, for a report and for ``mbti show-sample``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mbti_core.contracts.attack import RowKind
from mbti_core.data.choose import stratified_rows
from mbti_core.data.rng import Draws
from mbti_core.engine.execute import Work

if TYPE_CHECKING:
    from mbti_core.engine.graph import Node
    from mbti_core.engine.store import Store
    from mbti_core.plugins.adapters import Adapters
    from mbti_core.plugins.manager import Registry

FACTOR = 10
"""How many times a difference is enlarged, at most."""


@dataclass(frozen=True)
class Samples:
    """Some rows that an attack changed.

    Attributes:
        clean: Batch (B, ...) in storage form.
        changed: The same rows with the trigger.
        difference: What changed, enlarged, in storage form; None where the modality has no such thing.
        index: (B,) int64, stable row ids.
        truth: Names of the true classes.
        labels: Names of the labels that the rows carry: on test rows, what the attacker wants.
        modality: Name of the modality.
    """

    clean: Any
    changed: Any
    difference: Any | None
    index: Tensor
    truth: Sequence[str]
    labels: Sequence[str]
    modality: str


def load_samples(node: Node, store: Store, registry: Registry, count: int) -> Samples:
    """Return rows of a stored ``poison`` artifact, spread over the true classes; fewer where it holds fewer.

    Args:
        node: A stage of the kind ``poison``, complete.
        store: Where its artifact is.
        registry: Finds its modality.
        count: How many.
    """
    work = Work(node, store, registry, torch.device("cpu"), lambda done, total, loss: None)
    changed = work.split(node.ref)
    training = node.payload["role"] == "train"
    parent = work.split(node.inputs["data"]) if training else work.prepared.parts["test"]
    rows = torch.nonzero(changed.kind != int(RowKind.CLEAN)).flatten()
    rows = rows[stratified_rows(changed.truth[rows], changed.index[rows], count, Draws(0).stream("gallery"))]
    position = torch.searchsorted(parent.index, changed.index[rows])
    clean, bad, name = parent.take(position), changed.take(rows), parent.modality.name
    return Samples(
        clean,
        bad,
        registry.adapters.difference(clean, bad, name, FACTOR),
        changed.index[rows],
        [work.prepared.classes[c] for c in changed.truth[rows].tolist()],
        [work.prepared.classes[c] for c in changed.labels[rows].tolist()],
        name,
    )


def gallery_html(samples: Samples, adapters: Adapters) -> str:
    """Return one figure per row: clean, changed, and the difference where there is one.

    Raises:
        NotSupportedError: If no plugin shows samples of this modality.
    """
    shown = [x for x in (samples.clean, samples.changed, samples.difference) if x is not None]
    columns = [adapters.render(x, samples.modality) for x in shown]
    figures = [
        f"<figure>{''.join(page.html for page in pages)}<figcaption>{_caption(truth, label)}</figcaption></figure>"
        for pages, truth, label in zip(zip(*columns, strict=True), samples.truth, samples.labels, strict=True)
    ]
    times = "" if isinstance(samples.difference, Sequence) else f", up to {FACTOR} times as large"  # words have no size
    third = f"; third, what the trigger changes{times}" if len(shown) == 3 else ""
    how = (
        f"First, a clean row; second, the same row with the trigger{third}. Below, its true label → the one it carries."
    )
    return f'<p class="gallery-note">{how}</p><div class="gallery of-{len(shown)}">{"".join(figures)}</div>'


def _caption(truth: str, label: str) -> str:
    return f"{escape(truth)} → {escape(label)}" if truth != label else f"{escape(truth)}, label kept"
