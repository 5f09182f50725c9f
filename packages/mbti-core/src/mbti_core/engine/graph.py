"""What a plan is: stages with their keys and inputs, the rows that they lead to, and which of them must still run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mbti_core.engine.store import Store

Json = dict[str, Any]
Status = Literal["cached", "to run", "unsupported", "not needed"]


@dataclass(frozen=True)
class Node:
    """One stage of the plan.

    Attributes:
        stage: Name of the stage.
        key: Digest of ``payload``.
        label: What it works on, in words.
        payload: What the key is made of.
        asked: Digest of the same without versions, its own and its inputs': equal where newer code does the same again.
        extra: What the stage needs besides: settings with their paths, the data root, the row's description.
        inputs: ``stage/key`` by role.
        threads: How many it computes with.
    """

    stage: str
    key: str
    label: str
    payload: Json
    asked: str
    extra: Json
    inputs: Mapping[str, str]
    threads: int = 1

    @property
    def ref(self) -> str:
        """``stage/key``."""
        return f"{self.stage}/{self.key}"


@dataclass(frozen=True)
class PlannedRow:
    """One row of the table to come: its evaluation, and what is known of it beforehand."""

    ref: str
    about: Json


@dataclass
class Plan:
    """All stages in an order in which they can run, and the rows that they lead to."""

    device: str
    nodes: dict[str, Node] = field(default_factory=dict)
    rows: list[PlannedRow] = field(default_factory=list)


def cheap_first(nodes: Mapping[str, Node], since: int) -> dict[str, Node]:
    """Put what needs no training before what does: that a trigger cannot be made is known before hours pass."""
    refs = list(nodes)
    costly: set[str] = set()
    for ref in refs[since:]:
        if nodes[ref].stage == "train" or not costly.isdisjoint(nodes[ref].inputs.values()):
            costly.add(ref)
    return {ref: nodes[ref] for ref in sorted(refs, key=costly.__contains__)}


def needed(plan: Plan, store: Store, failed: Collection[str] = ()) -> list[Node]:
    """Return the stages that must run, in order: what is missing on the way to a row that is missing.

    Args:
        plan: Of ``make_plan``.
        store: What is there.
        failed: Stages that failed; what leads only to rows that need one of them is left out.
    """
    lost = set(failed)
    for ref, node in plan.nodes.items():
        if not lost.isdisjoint(node.inputs.values()):
            lost.add(ref)
    wanted: set[str] = set()
    pending = [row.ref for row in plan.rows if row.ref not in lost]
    while pending:
        ref = pending.pop()
        node = plan.nodes[ref]
        if ref not in wanted and not store.has(node.stage, node.key):
            wanted.add(ref)
            pending += node.inputs.values()
    return [node for ref, node in plan.nodes.items() if ref in wanted]


def status(plan: Plan, store: Store) -> list[tuple[Node, Status]]:
    """Return each stage as cached, to run, unsupported (the method cannot work there), or not needed any more."""
    to_run = {node.ref for node in needed(plan, store)}
    found: list[tuple[Node, Status]] = []
    for ref, node in plan.nodes.items():
        if ref in to_run:
            found.append((node, "to run"))
        elif not store.has(node.stage, node.key):
            found.append((node, "not needed"))
        else:
            refused = node.stage == "defend" and store.manifest(node.stage, node.key).get("unsupported")
            found.append((node, "unsupported" if refused else "cached"))
    return found
