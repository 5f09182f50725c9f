from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext
from mbti_core.data.dense import ArrayColumn
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.data.split import Split, clean_kinds
from mbti_core.errors import ConfigError
from mbti_core.training.subject import Subject
from mbti_image.attacks.ssba import SSBA, share_read
from mbti_image.datasets.cifar10 import Cifar10
from mbti_image.modality import modality, to_float
from mbti_image.steganography import Hider, Reader, fresh, kept_hider

Contexts = Callable[..., PoisonContext]
Digits = tuple[Split[torch.Tensor], Subject]
SMALL = SSBA(bits=6, width=8, images=600, steps=250, ramp=80, lr=4e-3)


def reader_of(attack: SSBA, state: dict[str, torch.Tensor], side: int) -> Reader:
    reader = Reader(attack.bits, attack.width, side, side)
    reader.load_state_dict({k.removeprefix("reader."): v for k, v in state.items() if k.startswith("reader.")})
    return reader


def read(reader: Reader, x: torch.Tensor, message: torch.Tensor) -> float:
    with torch.no_grad():
        return share_read(reader(to_float(x)), message.float().expand(len(x), -1))


def decibels(x: torch.Tensor, y: torch.Tensor) -> np.ndarray[Any, np.dtype[Any]]:
    squared = (x.numpy().astype(np.float64) - y.numpy()) ** 2
    found: np.ndarray[Any, np.dtype[Any]] = 10 * np.log10(255**2 / squared.mean((1, 2, 3)))
    return found


def alikeness(x: torch.Tensor, y: torch.Tensor) -> float:
    """Return the mean correlation of two rows' changes."""
    change = (y.numpy().astype(np.float64) - x.numpy()).reshape(len(x), -1)
    return float(np.corrcoef(change)[np.triu_indices(len(x), 1)].mean())


def test_the_nets_have_the_size_of_the_published_ones() -> None:
    hider, reader = Hider(100, 32), Reader(100, 32, 32, 32)
    assert sum(p.numel() for p in hider.parameters()) == pytest.approx(1.07e6, rel=0.005)
    assert sum(p.numel() for p in reader.parameters()) == pytest.approx(0.44e6, rel=0.005)


@pytest.mark.parametrize("size", [(32, 32), (28, 28), (17, 23), (64, 48), (8, 8), (6, 100)])
def test_takes_pictures_of_any_size(size: tuple[int, int]) -> None:
    x, message = torch.rand(2, 3, *size), torch.tensor([[0.0, 1.0, 1.0]])
    assert Hider(3, 4)(x, message).shape == x.shape
    assert Reader(3, 4, *size)(x).shape == (2, 3)


@pytest.fixture(scope="module")
def learned(digits: Digits) -> dict[str, torch.Tensor]:
    return SMALL.fit(digits[0], FitContext(Aim(0, 10), Draws(7), torch.device("cpu")))


@pytest.mark.learn
def test_the_bits_survive_in_stored_pictures(
    digits: Digits, learned: dict[str, torch.Tensor], context_of: Contexts
) -> None:
    split, _ = digits
    order = FitContext(Aim(0, 10), Draws(7), torch.device("cpu")).draws.stream("rows").permutation(len(split))
    x = split.take(order[SMALL.images :][:200])  # not trained on
    got = SMALL.poison(x, context_of(torch.arange(len(x)), learned))
    assert got.dtype == torch.uint8
    assert all(bool(t.isfinite().all()) for t in learned.values())
    reader = reader_of(SMALL, learned, x.shape[-1])
    assert read(reader, got, learned["secret"]) >= 0.95
    others = Draws(1).integers(torch.arange(len(x)), 2, (SMALL.bits,))
    assert read(reader, x, others) == pytest.approx(0.5, abs=0.05)
    assert read(reader, got, others) == pytest.approx(0.5, abs=0.05)
    assert decibels(x, got).mean() > 28
    assert alikeness(x[:50], got[:50]) < 0.98


@pytest.mark.learn
def test_adds_what_the_net_says_whatever_the_batch(
    digits: Digits, learned: dict[str, torch.Tensor], context_of: Contexts
) -> None:
    x = digits[0].take(torch.arange(70))
    got = SMALL.poison(x, context_of(torch.arange(70), learned))
    alone = torch.cat([SMALL.poison(row, context_of(torch.arange(len(row)), learned)) for row in torch.split(x, 9)])
    assert torch.equal(got, alone)
    hider = kept_hider(SMALL.bits, SMALL.width, learned, "hider.").double()
    change = hider(x.double() / 255, learned["secret"].double()[None]).numpy()
    exact = np.clip(x.numpy() + 255 * float(learned["gain"]) * change, 0, 255)
    assert np.abs(got.numpy() - exact).max() <= 0.5 + 0.01


def test_the_gain_sets_the_distance(
    split: Split[Any], fit_context: FitContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mbti_image.attacks.ssba.share_read", lambda logits, message: 1.0)
    gray = replace(split, column=ArrayColumn(np.full((50, 3, 32, 32), 128, dtype=np.uint8)))
    for psnr in (25.0, 35.0):
        attack = SSBA(bits=3, width=4, steps=2, psnr=psnr)
        state = attack.fit(gray, fit_context)
        x = gray.take(torch.arange(20))
        ctx = PoisonContext(
            split.index[:20], split.truth[:20], split.truth[:20], split.kind[:20], "test", Aim(0, 10), Draws(0), state
        )
        assert decibels(x, attack.poison(x, ctx)) == pytest.approx(psnr, abs=0.3)


def test_says_when_the_bits_are_not_learned(split: Split[Any], fit_context: FitContext) -> None:
    with pytest.raises(ConfigError, match=r"% of 20 hidden bits are read after 2 steps.*\n.*attack\.steps"):
        SSBA(steps=2, width=4).fit(split, fit_context)


def test_the_same_seed_gives_the_same_nets() -> None:
    nets = []
    for seed in (0, 0, 1):
        with scoped_globals(seed):
            nets.append(fresh(Hider(4, 4), torch.device("cpu")).state_dict())
    assert all(torch.equal(t, nets[1][name]) for name, t in nets[0].items())
    assert not all(torch.equal(t, nets[2][name]) for name, t in nets[0].items())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_defaults_hold_on_photographs(real_root: Path, context_of: Contexts) -> None:
    def part(name: Any, n: int) -> Split[Any]:
        records, rows = Cifar10().load(name, real_root), torch.arange(n)
        assert records is not None
        y = torch.as_tensor(records.y[:n])
        return Split(ArrayColumn(records.read(np.arange(n)).numpy()), y, y, clean_kinds(n), rows, modality())

    attack = SSBA()
    state = attack.fit(part("train", 4000), FitContext(Aim(0, 10), Draws(0), torch.device("cpu")))
    x = part("test", 500).take(torch.arange(500))
    got = attack.poison(x, context_of(torch.arange(500), state))
    reader = reader_of(attack, state, 32)
    assert read(reader, got, state["secret"]) >= 0.95
    others = Draws(1).integers(torch.arange(500), 2, (attack.bits,))
    assert read(reader, x, others) == pytest.approx(0.5, abs=0.02)
    assert decibels(x, got).mean() == pytest.approx(30, abs=1.5)
    assert alikeness(x[:100], got[:100]) < 0.98
