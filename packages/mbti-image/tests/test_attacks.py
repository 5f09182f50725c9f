"""What holds for every image attack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from mbti_core.contracts.attack import Attack, CleanLabelAttack, FitContext, PoisonContext, RowKind
from mbti_core.data.split import Split
from mbti_core.stages.poison import poison
from mbti_image.attacks.adap_blend import AdapBlend
from mbti_image.attacks.adap_patch import AdapPatch
from mbti_image.attacks.badnets import BadNets
from mbti_image.attacks.blended import Blended
from mbti_image.attacks.bpp import BPP
from mbti_image.attacks.dynatrigger import DynaTrigger
from mbti_image.attacks.ftrojan import FTrojan
from mbti_image.attacks.pnoise import PNoise
from mbti_image.attacks.sig import Sig
from mbti_image.attacks.tact import TaCT
from mbti_image.attacks.wanet import WaNet

COVERING = {WaNet: 2, BPP: 1, AdapBlend: 1, AdapPatch: 2, TaCT: 1}
ATTACKS = [
    BadNets(),
    Blended(),
    WaNet(),
    BPP(donors=10),
    Sig(),
    PNoise(),
    DynaTrigger(),
    FTrojan(),
    AdapBlend(),
    AdapPatch(),
    TaCT(),
]
Contexts = Callable[..., PoisonContext]
each = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: type(attack).__name__)


@each
@pytest.mark.parametrize("kind", [RowKind.POISONED, RowKind.COVER], ids=lambda kind: kind.name.lower())
def test_batch_sizes_agree_and_the_input_stays(
    attack: Attack[Any],
    kind: RowKind,
    split: Split[Any],
    images: torch.Tensor,
    fit_context: FitContext,
    context_of: Contexts,
) -> None:
    state = attack.fit(split, fit_context)
    before = images.clone()
    whole = attack.poison(images, context_of(split.index, state, kind))
    assert torch.equal(images, before)
    assert (whole.dtype, whole.shape) == (torch.uint8, images.shape)
    assert not torch.equal(whole, images)
    for size in (1, 7, 50):
        parts = [
            attack.poison(part, context_of(index, state, kind))
            for part, index in zip(images.split(size), split.index.split(size), strict=True)
        ]
        assert torch.equal(torch.cat(parts), whole)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    assert torch.equal(attack.poison(images[order], context_of(split.index[order], state, kind)), whole[order])


@each
def test_one_seed_gives_the_same_bytes(attack: Attack[Any], split: Split[Any], fit_context: FitContext) -> None:
    first, second = attack.fit(split, fit_context), attack.fit(split, fit_context)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


@each
def test_chooses_rows_of_their_own(attack: Attack[Any], split: Split[Any], fit_context: FitContext) -> None:
    chosen = attack.choose(split, 4, fit_context.draws, fit_context.aim)
    again = attack.choose(split, 4, fit_context.draws, fit_context.aim)
    assert torch.equal(chosen.poison, again.poison)
    assert torch.equal(chosen.cover, again.cover)
    assert len(chosen.poison) == 4
    assert len(chosen.cover) == 4 * COVERING.get(type(attack), 0)
    rows = torch.cat([chosen.poison, chosen.cover]).tolist()
    assert len(set(rows)) == len(rows)
    assert (chosen.poison.diff() > 0).all()
    assert (chosen.cover.diff() > 0).all()


@each
def test_other_rows_stay_and_only_poisoned_labels_change(
    attack: Attack[Any], split: Split[Any], images: torch.Tensor, fit_context: FitContext
) -> None:
    clean_label = isinstance(attack, CleanLabelAttack)
    state = attack.fit(split, fit_context)
    made = poison(split, attack, fit_context.aim, 0.08, 0, state, clean_label=clean_label).split()
    got, untouched = made.take(torch.arange(50)), made.kind == RowKind.CLEAN
    assert torch.equal(got[untouched], images[untouched])
    assert (got[~untouched] != images[~untouched]).flatten(1).any(dim=1).all()
    hit = made.kind == RowKind.POISONED
    expected = 0 if clean_label else 4 - int((split.labels[hit] == 0).sum())
    assert int((made.labels != split.labels).sum()) == expected
    assert torch.equal(made.labels[~hit], split.labels[~hit])
