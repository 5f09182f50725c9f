from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from mbti_audio import adapters
from mbti_audio.spectrogram import png, spectrogram
from mbti_audio.waves import Waves
from mbti_core.data.rng import Draws
from mbti_core.plugins.manager import Registry

Make = Callable[..., Waves]
FACTS: dict[str, Any] = {}


def level(wave: torch.Tensor) -> float:
    return float(np.sqrt((wave.double().numpy() ** 2).mean()))


def test_other_sounds_are_laid_over_at_equal_loudness(waves_of: Make) -> None:
    x, other = waves_of([3000, 1000, 3000], loudness=0.05), waves_of([2000, 3000, 0], loudness=0.01)
    before = x.wave.clone()
    for weight in (None, 0.5, 1.7):
        added = adapters.superimpose(x, other, weight).wave - x.wave
        part = 1.0 if weight is None else weight
        assert level(added[0, :2000]) == pytest.approx(part * level(x.wave[0]), rel=1e-3)
        assert not bool(added[0, 2000:].any())
        assert level(added[1, :1000]) == pytest.approx(part * level(x.wave[1, :1000]), rel=1e-3)
        assert not bool(added[1, 1000:].any())
        assert not bool(added[2].any())
        scale = float(added[0, 0] / other.wave[0, 0])
        assert added[0, :2000].numpy() == pytest.approx(scale * other.wave[0, :2000].numpy(), abs=1e-6)
    assert torch.equal(adapters.superimpose(x, other, 0.0).wave, before)
    assert torch.equal(x.wave, before)


@pytest.mark.parametrize("longer", [True, False])
def test_batches_of_other_lengths_are_laid_over(longer: bool, waves_of: Make) -> None:
    x, other = waves_of([800]), waves_of([1200])
    first, second = (x, other) if longer else (other, x)
    mixed = adapters.superimpose(first, second, None)
    assert mixed.wave.shape == first.wave.shape
    assert torch.equal(mixed.lengths, first.lengths)


def test_loud_mixtures_are_clipped_and_silence_adds_nothing(waves_of: Make) -> None:
    x = waves_of([500, 500], loudness=0.9)
    mixed = adapters.superimpose(x, x, 3.0).wave
    assert float(mixed.abs().max()) == 1
    silent = x.with_wave(torch.zeros_like(x.wave))
    assert torch.equal(adapters.superimpose(x, silent, None).wave, x.wave)
    assert torch.equal(adapters.superimpose(silent, x, None).wave, silent.wave)


def test_amplify_scales_and_clips(waves_of: Make) -> None:
    x = waves_of([1000, 300], loudness=0.3)
    assert torch.equal(adapters.scaled(x, 1.0).wave, x.wave)
    np.testing.assert_allclose(adapters.scaled(x, 3.0).wave.numpy(), np.clip(3 * x.wave.numpy(), -1, 1), atol=1e-6)


@pytest.mark.parametrize(("rate", "frame"), [(16000, 320), (8000, 160)])
def test_occlusion_silences_each_frame_once(rate: int, frame: int, waves_of: Make) -> None:
    x = waves_of([1000, 400], rate=rate)
    covered = torch.zeros(1000, dtype=torch.int64)
    for (start, end), hidden in adapters.occlude(x):
        assert end - start == frame or end == 1000
        covered[start:end] += 1
        assert not bool(hidden.wave[:, start:end].any())
        back = hidden.wave.clone()
        back[:, start:end] = x.wave[:, start:end]
        assert torch.equal(back, x.wave)
    assert bool((covered == 1).all())


def test_augmentation_is_a_shift_a_gain_and_a_hiss(waves_of: Make) -> None:
    draws, index, x = Draws(9), torch.arange(60) * 5, waves_of([4000] * 60, rate=8000)
    got = adapters.augment(x, index, 1.0, draws)
    shifts = 800 - draws.stream("shift").integers(index, 1601)
    gains = 10 ** ((draws.stream("gain").integers(index, 241).double() / 20 - 6) / 20)
    hiss = []
    for row, shift, gain in zip(range(60), shifts.tolist(), gains.tolist(), strict=True):
        clean = np.zeros(4000)
        clean[max(0, shift) : 4000 + min(0, shift)] = x.wave[row, max(0, -shift) : 4000 - max(0, shift)]
        hiss.append((got.wave[row].numpy() - gain * clean).std())
    assert max(hiss) < 0.0052
    assert min(hiss) < 0.0005
    assert np.mean(hiss) == pytest.approx(0.0025, rel=0.25)
    assert int(shifts.min()) < -700
    assert int(shifts.max()) > 700
    assert 0.5 < float(gains.min()) < 0.6
    assert 1.8 < float(gains.max()) < 2


def test_each_row_has_a_hiss_of_its_own() -> None:
    silent = Waves(torch.zeros(30, 2000), torch.full((30,), 2000), 16000)
    hiss = adapters.augment(silent, torch.arange(30), 1.0, Draws(1)).wave.numpy()
    apart = np.abs(np.corrcoef(hiss) - np.eye(30))
    assert apart.max() < 0.15
    spectrum = np.abs(np.fft.rfft(hiss / hiss.std(1, keepdims=True), axis=1)) ** 2
    bands = spectrum.mean(0)[1:-1][:990].reshape(9, -1).mean(1)
    assert bands == pytest.approx(bands.mean(), rel=0.15)


def test_less_strength_varies_less(waves_of: Make) -> None:
    x, index = waves_of([4000] * 40), torch.arange(40)
    shifted = adapters.augment(x, index, 0.001, Draws(1))  # a shift of at most 2 samples, 0.006 dB, -106 dB
    nearest = np.min([np.abs((x.wave.roll(k, 1) - shifted.wave).numpy())[:, 5:-5].max(1) for k in range(-2, 3)], axis=0)
    assert nearest.max() < 1e-3


def test_augmentation_is_keyed_by_row(waves_of: Make) -> None:
    draws, index, x = Draws(9), torch.arange(50), waves_of([2000] * 30 + [700] * 20)
    before = x.wave.clone()
    whole = adapters.augment(x, index, 1.0, draws)
    assert torch.equal(x.wave, before)
    assert not bool(whole.wave[30:, 700:].any())
    assert float(whole.wave.abs().max()) <= 1
    for size in (1, 7):
        parts = [
            adapters.augment(Waves(w, n, x.rate), i, 1.0, draws).wave
            for w, n, i in zip(*(torch.split(t, size) for t in (x.wave, x.lengths, index)), strict=True)
        ]
        assert torch.equal(torch.cat(parts), whole.wave)
    alone = adapters.augment(Waves(x.wave[40:41, :700], x.lengths[40:41], x.rate), index[40:41], 1.0, draws)
    torch.testing.assert_close(alone.wave[0], whole.wave[40, :700], atol=1e-6, rtol=0)
    assert not torch.equal(adapters.augment(x, index, 1.0, Draws(10)).wave, whole.wave)


def test_a_difference_is_silent_where_nothing_changed(waves_of: Make) -> None:
    x = waves_of([1000, 600])
    y = x.with_wave(x.wave + torch.where(torch.arange(1000) < 50, 0.02, 0.0))
    got = adapters.difference(x, y, 10).wave
    assert got[:, :50].numpy() == pytest.approx(0.2, abs=1e-5)
    assert not bool(got[:, 50:].any())
    loud = adapters.difference(x, y, 1000).wave
    assert float(loud.abs().max()) == 1
    changed = y.wave - x.wave
    assert torch.allclose(loud, changed / changed.abs().amax(1, keepdim=True).clamp_min(1e-3), atol=1e-5)


def parts(html: str) -> tuple[bytes, bytes]:
    shown, played = (piece.split('"')[0] for piece in html.split("base64,")[1:])
    return base64.b64decode(shown), base64.b64decode(played)


def test_a_page_plays_what_is_there(waves_of: Make) -> None:
    x = waves_of([16000, 1234, 1, 0])
    pages = Registry().adapters.render(x, "audio")
    for wave, length, page in zip(x.wave, x.lengths.tolist(), pages, strict=True):
        picture, file = parts(page.html)
        assert "<audio controls src=" in page.html
        assert picture == png(spectrogram(wave[:length], 16000))
        played, rate = soundfile.read(io.BytesIO(file), dtype="float32")
        assert rate == 16000
        np.testing.assert_array_equal(played, wave[:length].numpy())


def test_captions_say_how_long_and_how_loud() -> None:
    tone = 0.5 * torch.sin(2 * torch.pi * 440 * torch.arange(22050) / 22050)
    x = Waves(torch.stack([tone, torch.zeros(22050)]), torch.tensor([22050, 11025]), 22050)
    loud, silent = adapters.render(x)
    assert loud.caption == "1.00 s at 22050 Hz, -9.0 dBFS"
    assert silent.caption == "0.50 s at 22050 Hz, silent"
    assert "0 to 11.025 kHz" in loud.html
    assert loud.text == "▇" * 40 + f" {loud.caption}"
    assert silent.text == " " * 40 + f" {silent.caption}"


def test_a_page_holds_at_most_ten_seconds_of_a_sound() -> None:
    x = Waves(torch.full((1, 24000), 0.1), torch.tensor([24000]), 2000)
    (page,) = adapters.render(x)
    assert page.caption == "12.00 s at 2000 Hz, -20.0 dBFS (the first 10 s)"
    assert len(soundfile.read(io.BytesIO(parts(page.html)[1]))[0]) == 20000


def test_bars_follow_the_sound() -> None:
    wave = torch.zeros(4000)
    wave[1000:2000] = 1.0
    wave[3000:] = 10 ** (-20 / 20)
    (page,) = adapters.render(Waves(wave[None], torch.tensor([4000]), 4000))
    assert page.text[:40] == " " * 10 + "█" * 10 + " " * 10 + "▅" * 10


def test_batches_are_drawn_as_rows(waves_of: Make) -> None:
    rows = [waves_of([900, 300, 0], loudness=loudness) for loudness in (0.05, 0.5, 0.01)]
    white = torch.full((3 * 128 + 4, 3 * 256 + 4, 3), 255, dtype=torch.uint8)
    for i, x in enumerate(rows):
        for j, length in enumerate((900, 300, 0)):
            top, left = 130 * i, 258 * j
            white[top : top + 128, left : left + 256] = spectrogram(x.wave[j, :length], 16000)
    assert Registry().adapters.picture(rows, "audio") == png(white)


def test_batches_of_nothing_pass() -> None:
    for rows, samples, rate in ((0, 0, 0), (0, 50, 16000), (2, 0, 16000)):
        x = Waves(torch.zeros(rows, samples), torch.zeros(rows, dtype=torch.int64), rate)
        assert list(adapters.occlude(x)) == []
        for found in (
            adapters.superimpose(x, x, None),
            adapters.scaled(x, 2.0),
            adapters.augment(x, torch.arange(rows), 1.0, Draws(0)),
            adapters.difference(x, x, 10),
        ):
            assert found.wave.shape == (rows, samples)
        assert len(adapters.render(x)) == rows


def test_the_hooks_lead_here(waves_of: Make) -> None:
    front, draws, index, x = Registry().adapters, Draws(0), torch.arange(3), waves_of([1000] * 3)
    assert torch.equal(front.superimpose(x, x, index, "audio", 0.0, draws).wave, x.wave)
    assert torch.equal(front.amplify(x, "audio", 1.0).wave, x.wave)
    assert len(list(front.occlude(x, "audio", draws))) == 4
    assert front.augment(x, index, "audio", 1.0, draws, FACTS).wave.shape == x.wave.shape
    changed = front.difference(x, x, "audio", 10.0)
    assert changed is not None
    assert not bool(changed.wave.any())


def test_wav_files_hold_the_same_samples_at_the_same_rate(waves_of: Make) -> None:
    x = waves_of([800, 1, 500], loudness=0.2)
    for sound, file in zip(x.to_pcm().split(x.lengths.tolist()), adapters.wav_files(x), strict=True):
        found, rate = soundfile.read(io.BytesIO(file), dtype="int16")
        assert rate == x.rate
        assert soundfile.info(io.BytesIO(file)).subtype == "PCM_16"
        assert np.array_equal(found, sound.numpy())
