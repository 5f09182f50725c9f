"""Put the trigger on a share of the training rows, or on every test row that the attack is meant for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mbti_core.contracts.attack import Aim, Attack, PoisonContext, Role, RowKind, Selection, State
from mbti_core.data.artifacts import ChangedSplit
from mbti_core.data.rng import Draws
from mbti_core.data.split import MappedColumn, Split
from mbti_core.errors import ConfigError


def poison(
    split: Split[Any], attack: Attack[Any], aim: Aim, ratio: float, seed: int, state: State, *, clean_label: bool
) -> ChangedSplit:
    """Return the training split with ``round(ratio x N)`` triggered rows.

    Args:
        split: Clean or corrupted training rows.
        attack: Chooses rows, makes triggers.
        aim: Target and number of classes.
        ratio: Poison ratio in (0, 1], a share of all training rows.
        seed: The attack seed.
        state: What ``fit`` learned.
        clean_label: Whether poisoned rows keep their labels.

    Raises:
        ConfigError: If the ratio comes to no row at all, or to more than the attack can poison.
    """
    n, draws = len(split), Draws(seed).stream("poison")
    selection = select(split, attack, aim, ratio, seed)
    kind = split.kind.clone()
    kind[selection.poison], kind[selection.cover] = int(RowKind.POISONED), int(RowKind.COVER)
    labels = split.labels.clone()
    if not clean_label:
        at = selection.poison
        labels[at] = attack.goal(split.truth[at], split.index[at], aim)
    at = torch.cat([selection.poison, selection.cover]).sort().values
    changed = MappedColumn(split.subset(at).column, _trigger(split, attack, aim, draws, state, "train", at, kind))
    return ChangedSplit(split, torch.arange(n), labels, kind, at, changed)


def select(split: Split[Any], attack: Attack[Any], aim: Aim, ratio: float, seed: int) -> Selection:
    """Return the training rows that ``poison`` with the same arguments changes.

    Raises:
        ConfigError: If the ratio comes to no row at all, or to more than the attack can poison.
    """
    wanted = round(ratio * len(split))
    selection = attack.choose(split, wanted, Draws(seed).stream("poison").stream("rows"), aim)
    _check_count(len(selection.poison), wanted, len(split), ratio)
    return selection


def covers(attack: Attack[Any]) -> bool:
    """Whether an attack says which test rows keep their label under a cover row's trigger."""
    return type(attack).covers is not Attack.covers


def trigger_test(split: Split[Any], attack: Attack[Any], aim: Aim, seed: int, state: State) -> ChangedSplit:
    """Return the triggered test set: the attack's victims whose true label is not yet the goal; labels are the goal."""
    goal = attack.goal(split.truth, split.index, aim)
    rows = torch.nonzero(attack.victims(split.truth, aim) & (goal != split.truth)).flatten()
    kind = torch.full((len(split),), int(RowKind.POISONED), dtype=torch.uint8)
    change = _trigger(split, attack, aim, Draws(seed).stream("poison"), state, "test", rows, kind)
    changed = MappedColumn(split.subset(rows).column, change)
    return ChangedSplit(split, rows, goal[rows], kind[rows], torch.arange(len(rows)), changed)


def cover_test(split: Split[Any], attack: Attack[Any], aim: Aim, seed: int, state: State) -> ChangedSplit:
    """Return the test rows that keep their label under a cover row's trigger; there may be none."""
    rows = torch.nonzero(attack.covers(split.truth, aim)).flatten()
    kind = torch.full((len(split),), int(RowKind.COVER), dtype=torch.uint8)
    change = _trigger(split, attack, aim, Draws(seed).stream("poison"), state, "test", rows, kind)
    changed = MappedColumn(split.subset(rows).column, change)
    return ChangedSplit(split, rows, split.truth[rows], kind[rows], torch.arange(len(rows)), changed)


def _check_count(found: int, wanted: int, n: int, ratio: float) -> None:
    if not wanted:
        raise ConfigError(
            f"attack.ratio: {ratio:g} of {n:,} training rows is no row at all.",
            "Raise attack.ratio, or train on more rows.",
        )
    if found < wanted:
        raise ConfigError(
            f"attack.ratio: {ratio:g} of {n:,} rows is {wanted:,}; the attack can poison {found:,} of them at most.",
            f"Lower attack.ratio to {_down(found / n)} or less.",
        )


def _down(share: float) -> str:
    return f"{int(share * 10000) / 10000:g}"


def _trigger(
    split: Split[Any], attack: Attack[Any], aim: Aim, draws: Draws, state: State, role: Role, at: Tensor, kind: Tensor
) -> Any:
    def change(x: Any, rows: Tensor) -> Any:
        where = at[rows]
        index, y = split.index[where], split.truth[where]
        goal = attack.goal(y, index, aim)
        return attack.poison(x, PoisonContext(index, y, goal, kind[where], role, aim, draws, state))

    return change
