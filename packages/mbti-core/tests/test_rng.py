from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mbti_core.data.rng import Draws, derive_seed, scoped_globals

IDS = torch.arange(20_000)
MASK = (1 << 64) - 1


def splitmix(x: int) -> int:
    """The finalizer of splitmix64 in unbounded Python integers."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


@given(seed=st.integers(0, 2**63 - 1), ids=st.lists(st.integers(0, 2**62), min_size=1, max_size=4))
def test_bits_follow_the_formula_in_exact_integers(seed: int, ids: list[int]) -> None:
    golden = 0x9E3779B97F4A7C15
    rows = [splitmix((i * golden + seed) & MASK) for i in ids]
    expected = [[splitmix((row + cell * golden) & MASK) for cell in (1, 2, 3)] for row in rows]
    bits = Draws(seed).bits(torch.tensor(ids), (3,))
    assert [[b & MASK for b in row] for row in bits.tolist()] == expected


def test_uniform_is_uniform() -> None:
    values = Draws(1).uniform(IDS, (5,)).flatten().numpy()
    assert values.min() >= 0
    assert values.max() < 1
    assert stats.kstest(values, "uniform").pvalue > 0.01


def test_normal_is_normal() -> None:
    values = Draws(2).normal(IDS, (5,)).flatten().numpy()
    assert np.isfinite(values).all()
    assert stats.kstest(values, "norm").pvalue > 0.01


@pytest.mark.parametrize("high", [1, 2, 7, 1000])
def test_integers_are_even_over_their_range(high: int) -> None:
    values = Draws(3).integers(IDS, high, (3,)).flatten()
    counts = torch.bincount(values, minlength=high)
    assert len(counts) == high
    assert high == 1 or stats.chisquare(counts.numpy()).pvalue > 0.01


@pytest.mark.parametrize("pair", ["columns", "neighbouring rows", "seeds", "streams", "epochs"])
def test_what_should_be_independent_is_uncorrelated(pair: str) -> None:
    draws = Draws(4)
    two = draws.uniform(IDS, (2,))
    one, other = {
        "columns": (two[:, 0], two[:, 1]),
        "neighbouring rows": (two[:-1, 0], two[1:, 0]),
        "seeds": (Draws(5).uniform(IDS), Draws(6).uniform(IDS)),
        "streams": (draws.stream("a").uniform(IDS), draws.stream("b").uniform(IDS)),
        "epochs": (draws.stream("a", 0).uniform(IDS), draws.stream("a", 1).uniform(IDS)),
    }[pair]
    assert stats.pearsonr(one.numpy(), other.numpy()).pvalue > 0.01


@pytest.mark.parametrize("batch", [1, 7, 64])
@pytest.mark.parametrize("kind", ["uniform", "normal", "bits"])
def test_a_draw_does_not_depend_on_the_batch(kind: str, batch: int) -> None:
    draw = getattr(Draws(7), kind)
    whole = draw(IDS[:64], (3, 2))
    order = torch.randperm(64)
    parts = torch.cat([draw(IDS[rows], (3, 2)) for rows in order.split(batch)])
    assert torch.equal(parts, whole[order])


@given(n=st.integers(0, 300), seed=st.integers(0, 2**63 - 1))
def test_permutation_holds_each_position_once(n: int, seed: int) -> None:
    assert Draws(seed).permutation(n).sort().values.tolist() == list(range(n))


def test_permutation_puts_each_row_first_equally_often() -> None:
    first = torch.tensor([int(Draws(0).stream(i).permutation(6)[0]) for i in range(3000)])
    assert stats.chisquare(torch.bincount(first, minlength=6).numpy()).pvalue > 0.01


def test_seeds_follow_every_part_and_fit_63_bits() -> None:
    seeds = {derive_seed(*parts) for parts in [(0,), (1,), (0, "a"), (0, "a", 1), (0, "a", 2), ("a", 0)]}
    assert len(seeds) == 6
    assert all(0 <= s < 2**63 for s in seeds)


def test_generator_repeats() -> None:
    assert Draws(8).generator().random(3).tolist() == Draws(8).generator().random(3).tolist()


def _three() -> list[float]:
    return [random.random(), float(np.random.random()), float(torch.rand(()))]


def test_scoped_globals_seed_inside_and_restore_outside() -> None:
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state()
    with scoped_globals(1):
        one = _three()
    with scoped_globals(1):
        assert _three() == one
    with scoped_globals(2):
        assert all(a != b for a, b in zip(_three(), one, strict=True))
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]
    assert torch.equal(torch.random.get_rng_state(), before[2])


def _fail_inside() -> None:
    with scoped_globals(1):
        random.random()
        raise KeyError


def test_scoped_globals_restore_after_an_error() -> None:
    before = random.getstate()
    with pytest.raises(KeyError):
        _fail_inside()
    assert random.getstate() == before
