"""Sounds: stored as PCM, taken as floats, held on a device."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from mbti_audio.modality import AudioModality
from mbti_audio.waves import Waves
from mbti_core.contracts.modality import Column
from mbti_core.data.rng import Draws
from mbti_core.data.split import OverlayColumn, Split, clean_kinds

LENGTHS = [400, 1, 0, 1600, 37, 400, 999]
CPU = torch.device("cpu")
MODALITY = AudioModality()


def sounds() -> list[np.ndarray]:
    """Int16 noise of each length, with both ends of the range among it."""
    made = []
    for row, n in enumerate(LENGTHS):
        pcm = Draws(1).stream(row).integers(torch.arange(n), 65536).numpy().astype(np.int32) - 32768
        pcm[:2] = [-32768, 32767][: len(pcm)]
        made.append(pcm.astype(np.int16))
    return made


def waves(pcm: list[np.ndarray]) -> Waves:
    """The batch of some sounds by the formula pcm / 32768, padded by hand."""
    longest = max((len(p) for p in pcm), default=0)
    wave = np.zeros((len(pcm), longest), dtype=np.float32)
    for row, p in enumerate(pcm):
        wave[row, : len(p)] = p.astype(np.float64) / 32768
    return Waves(torch.from_numpy(wave), torch.tensor([len(p) for p in pcm], dtype=torch.int64), 16000)


def stored(folder: Path, pcm: list[np.ndarray], batch: int = 3) -> Column[Waves]:
    MODALITY.write((waves(pcm[at : at + batch]) for at in range(0, len(pcm), batch)), folder, len(pcm))
    return MODALITY.open(folder)


def same(a: Waves, b: Waves) -> bool:
    return torch.equal(a.wave, b.wave) and torch.equal(a.lengths, b.lengths) and a.rate == b.rate


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_sounds_come_back_bit_for_bit_in_any_order(tmp_path: Path, batch: int) -> None:
    pcm = sounds()
    column = stored(tmp_path, pcm, batch)
    rows = [3, 0, 0, 6, 2, 4]
    taken = column.take(torch.tensor(rows))
    assert len(column) == len(pcm)
    assert same(taken, waves([pcm[row] for row in rows]))
    assert float(taken.wave.min()) == -1.0
    assert taken.to_pcm().tolist() == np.concatenate([pcm[row] for row in rows]).tolist()


def test_the_file_is_a_plain_npy_of_the_samples(tmp_path: Path) -> None:
    pcm = sounds()
    stored(tmp_path, pcm)
    flat, start = np.load(tmp_path / "x.npy", allow_pickle=False), np.load(tmp_path / "start.npy", allow_pickle=False)
    assert flat.dtype == np.int16
    assert [flat[a:b].tolist() for a, b in pairwise(start)] == [p.tolist() for p in pcm]


def test_what_is_louder_than_full_scale_is_clipped() -> None:
    loud = Waves(torch.tensor([[2.0, 1.0, -1.0, -3.0]]), torch.tensor([4]), 16000)
    assert loud.to_pcm().tolist() == [32767, 32767, -32768, -32768]


@pytest.mark.parametrize("pcm", [[], [np.zeros(0, np.int16)]])
def test_empty_columns_and_empty_sounds(tmp_path: Path, pcm: list[np.ndarray]) -> None:
    column = stored(tmp_path, pcm)
    held = MODALITY.hold(column, None, CPU)
    assert (len(column), len(held)) == (len(pcm), len(pcm))
    rows = torch.arange(len(pcm))
    assert column.take(rows).wave.shape == held.take(rows).wave.shape == (len(pcm), 0)
    assert MODALITY.row_bytes(column) > 0


def test_held_sounds_equal_stored_ones_and_never_depend_on_the_batch(tmp_path: Path) -> None:
    column = stored(tmp_path, sounds())
    held = MODALITY.hold(column, None, CPU)
    whole = MODALITY.to_input(held.take(torch.arange(7)), CPU)
    assert same(whole, column.take(torch.arange(7)))
    one_by_one = [MODALITY.to_input(held.take(torch.tensor([row])), CPU) for row in range(7)]
    assert torch.equal(torch.cat([one.wave for one in one_by_one]), whole.wave)
    assert (whole.rate, one_by_one[0].rate) == (16000, 16000)


def test_join_pads_and_select_picks() -> None:
    pcm = sounds()
    joined = MODALITY.join([waves(pcm[:2]), waves(pcm[2:])])
    assert same(joined, waves(pcm))
    assert torch.equal(MODALITY.select(joined, torch.tensor([6, 1])).lengths, torch.tensor([999, 1]))


def test_changed_rows_are_laid_over_with_lengths_of_their_own(tmp_path: Path) -> None:
    pcm, changed = sounds(), [np.full(50, 7, np.int16)]
    (tmp_path / "base").mkdir()
    (tmp_path / "changed").mkdir()
    slot = torch.tensor([-1, -1, -1, 0, -1, -1, -1])
    column = OverlayColumn(stored(tmp_path / "base", pcm), stored(tmp_path / "changed", changed), slot, MODALITY)
    n = torch.arange(7)
    split = Split(column, n * 0, n * 0, clean_kinds(7), n, MODALITY)
    taken = split.take(n)
    assert taken.lengths.tolist() == [400, 1, 0, 50, 37, 400, 999]
    assert taken.to_pcm().tolist() == np.concatenate([*pcm[:3], *changed, *pcm[4:]]).tolist()


def test_other_samples_stay_in_range_and_behind_the_end_it_is_silent() -> None:
    changed = waves(sounds()).with_wave(torch.full((7, 1600), 3.0))
    assert changed.wave.sum(1).tolist() == [float(n) for n in LENGTHS]
    assert float(changed.wave.max()) == 1.0
