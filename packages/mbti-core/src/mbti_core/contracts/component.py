"""What a plugin registers: a line of data per component."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["attack", "defense", "dataset", "model", "noise", "metric"]
KINDS: tuple[Kind, ...] = ("dataset", "noise", "attack", "model", "defense", "metric")
_ID = re.compile(r"[a-z0-9]+/[a-z0-9][a-z0-9_\-]*")

ATTACK_TRAITS: Mapping[str, str] = {
    "visible": "The trigger stands out from the sample.",
    "faint": "The trigger is perceived by somebody who attends to it.",
    "invisible": "It takes a comparison with the clean sample to perceive the trigger.",
    "clean_label": "Poisoned training rows keep their labels.",
    "sample_specific": "What is laid over a sample, or done to it, depends on its content or is drawn for it.",
    "local": "A part of the sample is changed; without it, all of it.",
    "additive": "A pattern is added to the sample, blended into it or put in place of a part; without it, the sample "
    "itself is transformed.",
    "learned": "The trigger is the result of training or of a search.",
    "surrogate": "The attacker looks into a benign model of the same data.",
    "knows_rows": "What is learned depends on which rows will be poisoned, and so on the poison ratio.",
    "trains": "The attacker controls training.",
    "trains_trigger": "The trigger is trained beside the victim.",
    "several_targets": "There can be several targets, each with a trigger of its own.",
}
"""What an attack may say of itself in ``Component.traits``, and what each word means.

One of ``visible``, ``faint`` and ``invisible`` says that the others of the look of its trigger are declared too.
"""


@dataclass(frozen=True)
class Source:
    """Where a component comes from, and in what it differs from there.

    Attributes:
        deviations: Each difference from the paper or its code, with the reason.
    """

    title: str
    authors: str
    venue: str
    year: int
    url: str = ""
    code_url: str = ""
    code_licence: str = ""
    deviations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Component:
    """One line of a plugin's table of contents; its code is imported on first use.

    Attributes:
        kind: One of ``KINDS``.
        id: ``modality/name``, or ``any/name`` for what belongs to no modality.
        target: ``package.module:Name`` of the settings class, model factory or metric function.
        summary: At most one short sentence, for listings.
        version: Rises when results change; part of every key.
        traits: Data for planning, tables and tests, e.g. ``weak``, ``stochastic``; of a model ``large`` (takes all
            cores) and ``bf16`` (is faster in it where the processor has it); of an attack those of ``ATTACK_TRAITS``.
        extra: The distribution extra that the component needs, e.g. ``mbti-text[nlpaug]``.

    Raises:
        ValueError: If the id or the target is malformed.
    """

    kind: Kind
    id: str
    target: str
    summary: str
    source: Source | None = None
    version: int = 1
    traits: frozenset[str] = field(default_factory=frozenset)
    extra: str | None = None

    def __post_init__(self) -> None:
        """Refuse malformed ids at registration, where the author sees it."""
        if not _ID.fullmatch(self.id):
            raise ValueError(f"component id {self.id!r}: expected 'modality/name' in lower case")
        if self.kind not in KINDS:
            raise ValueError(f"component {self.id}: expected a kind among {', '.join(KINDS)}, got {self.kind!r}")
        if ":" not in self.target:
            raise ValueError(f"component {self.id}: expected a target 'module:Name', got {self.target!r}")

    @property
    def modality(self) -> str:
        """The part of the id before the slash; ``any`` belongs to no modality."""
        return self.id.split("/", 1)[0]

    @property
    def name(self) -> str:
        """The part of the id after the slash: what a spec says."""
        return self.id.split("/", 1)[1]
