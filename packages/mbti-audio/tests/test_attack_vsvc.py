"""Another voice, by converted files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mbti_audio.attacks.vsvc import Vsvc
from mbti_audio.attacks.vsvc_formant import VsvcFormant
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import Aim, FitContext, PoisonContext
from mbti_core.data.fileref import FileRef
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.errors import DataFormatError, DataUnavailableError

RATE = 16000
TEST = 1 << 41


def write(path: Path, seconds: float, level: float, rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(round(seconds * rate), level), rate, subtype="PCM_16")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "train/0.wav", 0.1, 0.25)
    write(tmp_path / "train/3.wav", 0.02, 0.5)
    write(tmp_path / "train/12.wav", 0.1, -0.125, 8000)
    write(tmp_path / "test/2.wav", 0.1, 0.75)
    return tmp_path


def test_rows_become_their_files_in_their_own_length(
    folder: Path, waves_of: Callable[..., Waves], context_of: Callable[..., PoisonContext]
) -> None:
    x = waves_of([1000, 1000, 800], RATE)
    made = Vsvc(converted=FileRef(folder)).poison(x, context_of(torch.tensor([0, 3, 12])))
    assert made.lengths.tolist() == [1000, 1000, 800]
    assert made.wave[0].tolist() == [0.25] * 1000  # 1,600 samples are cut
    assert made.wave[1].tolist() == [0.5] * 320 + [0.0] * 680
    assert made.wave[2, 100:700].tolist() == pytest.approx([-0.125] * 600, abs=2e-3)  # from 8 kHz
    assert not made.wave[2, 800:].any()


def test_only_rows_with_a_file_are_chosen(
    folder: Path, waves_of: Callable[..., Waves], split_of: Callable[..., Split[Waves]], fit_context: FitContext
) -> None:
    attack, split = Vsvc(converted=FileRef(folder)), split_of(waves_of([10] * 9), [0, 1, 1] * 3, [*range(8), 12])
    assert attack.fit(split, fit_context) == {}
    assert attack.choose(split, 9, Draws(0), Aim(0, 2)).poison.tolist() == [0, 3, 8]
    assert len(attack.choose(split, 2, Draws(0), Aim(0, 2)).poison) == 2


def test_a_test_row_without_a_file_gets_the_other_attack_s_voice(
    folder: Path, waves_of: Callable[..., Waves], context_of: Callable[..., PoisonContext]
) -> None:
    x, index = waves_of([4000, 1000], RATE), torch.tensor([TEST + 7, TEST + 2])
    made = Vsvc(converted=FileRef(folder)).poison(x, context_of(index, role="test"))
    formant = VsvcFormant().poison(x, context_of(index, role="test"))
    assert torch.equal(made.wave[0], formant.wave[0])
    assert not torch.equal(made.wave[0], x.wave[0])
    assert made.wave[1, :1000].tolist() == [0.75] * 1000


def test_says_what_is_wrong_with_a_folder(
    tmp_path: Path, waves_of: Callable[..., Waves], split_of: Callable[..., Split[Waves]], fit_context: FitContext
) -> None:
    split = split_of(waves_of([10]), [0])
    with pytest.raises(DataUnavailableError, match=r"attack\.converted names no folder") as refusal:
        Vsvc().fit(split, fit_context)
    assert "vsvc_formant" in refusal.value.hint
    with pytest.raises(DataUnavailableError, match=r"there is no folder .*nowhere"):
        Vsvc(converted=FileRef(tmp_path / "nowhere")).fit(split, fit_context)
    with pytest.raises(DataUnavailableError, match=r"there is no sound in .*train"):
        Vsvc(converted=FileRef(tmp_path)).fit(split, fit_context)
    for name in ("017.wav", "yes.wav", "-1.wav"):
        write(tmp_path / "train" / name, 0.1, 0.5)
        with pytest.raises(DataFormatError, match=f"expected a row's number as the name, .* got '{name}'"):
            Vsvc(converted=FileRef(tmp_path)).fit(split, fit_context)
        (tmp_path / "train" / name).unlink()


def test_a_broken_file_is_named(
    folder: Path, waves_of: Callable[..., Waves], context_of: Callable[..., PoisonContext]
) -> None:
    (folder / "train/3.wav").write_text("not a sound")
    with pytest.raises(DataFormatError, match=r"3\.wav"):
        Vsvc(converted=FileRef(folder)).poison(waves_of([10, 10]), context_of(torch.tensor([0, 3])))
