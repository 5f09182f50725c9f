"""Running a plan as far as one of its stages."""

from __future__ import annotations

from mbti_core.cli.progress import progress
from mbti_core.engine.graph import Node, Plan, PlannedRow, needed
from mbti_core.engine.plan import RunOptions
from mbti_core.engine.runner import run_plan
from mbti_core.engine.store import Store
from mbti_core.errors import ConfigError
from mbti_core.plugins.manager import registry


def run_part(plan: Plan, node: Node, options: RunOptions, hint: str, *, train: bool) -> None:
    """Run what is missing on the way to a stage.

    Args:
        plan: Holds the stage.
        node: The stage.
        options: Where, and with how many threads.
        hint: What to do where a model is missing.
        train: Whether to train a model on the way; without it a missing one is an error.

    Raises:
        ConfigError: If a model is missing.
        MbtiError: If a stage fails: its error.
    """
    part = Plan(plan.device, plan.nodes, [PlannedRow(node.ref, {})])
    missing = needed(part, Store(options.store))
    if not train and any(found.stage == "train" for found in missing):
        raise ConfigError(
            f"{node.label}: the trigger needs a trained model, which {options.store} does not hold.", hint
        )
    with progress(len(missing), verbose=False) as listener:
        failures = run_plan(part, options, registry(), listener)
    for failure in failures:
        raise failure.error
