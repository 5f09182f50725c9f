"""Every kind of sound file against samples written by hand or by another library; damage; threads."""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.io import wavfile

from mbti_audio.sound_files import read_sound, read_sounds
from mbti_core.errors import DataFormatError, DataUnavailableError

RATE = 16_000
RANDOM = np.random.default_rng(0)


def pcm(n: int = 1000) -> np.ndarray:
    """Int16 noise with both ends of the range."""
    levels = RANDOM.integers(-32768, 32768, n).astype(np.int16)
    levels[:2] = -32768, 32767
    return levels


def write_pcm(file: Path, samples: np.ndarray, bytes_each: int, rate: int = RATE) -> Path:
    """Write integers (n,) or (n, channels) as PCM of 1 to 4 bytes; one byte is unsigned."""
    two = (samples if samples.ndim == 2 else samples[:, None]).astype("<i4")
    raw = (two + 128).astype(np.uint8).tobytes() if bytes_each == 1 else b""
    if bytes_each > 1:
        raw = two[..., None].view(np.uint8)[..., :bytes_each].tobytes()
    with wave.open(str(file), "wb") as out:
        out.setnchannels(two.shape[1])
        out.setsampwidth(bytes_each)
        out.setframerate(rate)
        out.writeframes(raw)
    return file


def tone(hertz: float, rate: int, seconds: float = 1.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def test_sixteen_bits_come_as_they_are(tmp_path: Path) -> None:
    levels = pcm()
    read = read_sound(write_pcm(tmp_path / "a.wav", levels, 2), RATE)
    assert read.dtype == torch.int16
    np.testing.assert_array_equal(read.numpy(), levels)


@pytest.mark.parametrize("bytes_each", [1, 3, 4])
def test_other_depths_are_rounded_to_the_nearest_level(tmp_path: Path, bytes_each: int) -> None:
    top = 2 ** (8 * bytes_each - 1)
    samples = RANDOM.integers(-top, top, 1000)
    samples[:2] = -top, top - 1
    expected = np.rint(samples * (32768 / top)).clip(-32768, 32767)
    np.testing.assert_array_equal(read_sound(write_pcm(tmp_path / "a.wav", samples, bytes_each), RATE), expected)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floating_point_is_rounded_and_clipped_where_it_is_too_loud(tmp_path: Path, kind: type[np.floating]) -> None:
    samples = RANDOM.uniform(-1, 1, 1000).astype(kind)
    samples[:4] = 2.0, -3.0, 1.0, -1.0
    wavfile.write(tmp_path / "a.wav", RATE, samples)
    expected = np.rint(samples.astype(np.float64) * 32768).clip(-32768, 32767)
    np.testing.assert_array_equal(read_sound(tmp_path / "a.wav", RATE), expected)
    assert expected[:4].tolist() == [32767, -32768, 32767, -32768]


def test_flac_is_lossless(tmp_path: Path) -> None:
    levels = pcm()
    soundfile.write(tmp_path / "a.flac", levels, RATE)
    np.testing.assert_array_equal(read_sound(tmp_path / "a.flac", RATE), levels)


def test_ogg_sounds_like_what_was_written(tmp_path: Path) -> None:
    written = tone(440, RATE)
    soundfile.write(tmp_path / "a.ogg", written, RATE)
    read = read_sound(tmp_path / "a.ogg", RATE).numpy() / 32768
    assert len(read) == len(written)
    assert np.sqrt(np.mean((read - written) ** 2)) < 0.01


def test_of_several_channels_the_mean_is_taken(tmp_path: Path) -> None:
    three = np.stack([pcm(), pcm(), pcm()], axis=1)
    expected = np.rint(three.astype(np.float64).mean(axis=1))
    np.testing.assert_array_equal(read_sound(write_pcm(tmp_path / "a.wav", three, 2), RATE), expected)


@pytest.mark.parametrize("own", [8000, 11_025, 22_050, 44_100, 48_000])
def test_another_rate_keeps_pitch_loudness_and_duration(tmp_path: Path, own: int) -> None:
    wavfile.write(tmp_path / "a.wav", own, tone(1000, own).astype(np.float32))
    read = read_sound(tmp_path / "a.wav", RATE).numpy() / 32768
    assert len(read) == RATE
    middle = read[2000:-2000] * np.hanning(RATE - 4000)
    spectrum = np.abs(np.fft.rfft(middle))
    peak = np.argmax(spectrum)
    assert abs(peak * RATE / len(middle) - 1000) < 2
    assert np.std(read[2000:-2000]) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


def test_what_the_new_rate_cannot_carry_is_gone_and_does_not_fold_back(tmp_path: Path) -> None:
    wavfile.write(tmp_path / "a.wav", 44_100, tone(12_000, 44_100).astype(np.float32))
    read = read_sound(tmp_path / "a.wav", RATE).numpy() / 32768
    assert np.std(read[500:-500]) < 0.5 / np.sqrt(2) / 100  # 40 dB


def test_lengths_at_another_rate_are_rounded_up(tmp_path: Path) -> None:
    for n in (1, 2, 3, 100):
        file = write_pcm(tmp_path / "a.wav", pcm(max(n, 2))[:n], 2, 44_100)
        assert len(read_sound(file, RATE)) == -(-n * RATE // 44_100)


def refused(file: Path, rate: int = RATE) -> str:
    with pytest.raises(DataFormatError) as caught:
        read_sound(file, rate)
    assert caught.value.hint
    assert str(file) in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("kept", [44, 45, 1000, 2043])
def test_a_wav_that_was_cut_off(tmp_path: Path, kept: int) -> None:
    file = write_pcm(tmp_path / "a.wav", pcm(), 2)
    file.write_bytes(file.read_bytes()[:kept])
    expected = f"{file} is cut off: its header promises 2,000 bytes of samples, {kept - 44:,} are there."
    assert refused(file) == expected


def test_a_wav_that_was_cut_off_behind_other_chunks(tmp_path: Path) -> None:
    whole = write_pcm(tmp_path / "a.wav", pcm(), 2).read_bytes()
    with_note = whole[:36] + b"LIST\x03\x00\x00\x00abc\x00" + whole[36:]
    file = tmp_path / "b.wav"
    file.write_bytes(with_note)
    assert len(read_sound(file, RATE)) == 1000
    file.write_bytes(with_note[:-10])
    assert "promises 2,000 bytes of samples, 1,990 are there" in refused(file)


@pytest.mark.parametrize("kept", [0, 3, 11, 20, 40])
def test_a_header_that_was_cut_off(tmp_path: Path, kept: int) -> None:
    file = write_pcm(tmp_path / "a.wav", pcm(), 2)
    file.write_bytes(file.read_bytes()[:kept])
    assert "does not hold a sound that can be decoded" in refused(file)


def test_a_flac_that_was_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "a.flac"
    soundfile.write(file, pcm(20_000), RATE)
    file.write_bytes(file.read_bytes()[:-1000])
    assert "does not hold a sound that can be decoded" in refused(file)


def test_a_text_with_the_name_of_a_sound(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    file.write_text("These are no samples. " * 50)
    assert refused(file).startswith(f"{file} does not hold a sound that can be decoded: ")


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(tmp_path: Path, broken: float) -> None:
    samples = np.zeros((1000, 2), dtype=np.float32)
    samples[400:402, 1] = broken
    wavfile.write(tmp_path / "a.wav", RATE, samples)
    assert "holds 2 samples that are NaN or infinite, the first at 0.0250 s." in refused(tmp_path / "a.wav")


@pytest.mark.parametrize("rate", [RATE, 8000])
def test_no_samples(tmp_path: Path, rate: int) -> None:
    assert refused(write_pcm(tmp_path / "a.wav", np.zeros(0), 2, rate)).endswith("holds no samples.")


def test_a_rate_that_would_take_all_memory(tmp_path: Path) -> None:
    message = refused(write_pcm(tmp_path / "a.wav", pcm(), 2, 15_999))
    assert "has 15,999 Hz; to 16,000 Hz" in message


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match=r"no file .*nothing\.wav"):
        read_sound(tmp_path / "nothing.wav", RATE)
    (tmp_path / "folder.wav").mkdir()
    assert "expected a sound file" in refused(tmp_path / "folder.wav")


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_a_batch_is_the_same_whatever_the_threads(tmp_path: Path, threads: Callable[[int], None]) -> None:
    sounds = [pcm(n) for n in (900, 2, 1600, 37, 400, 999, 5)]
    files = [str(write_pcm(tmp_path / f"{row}.wav", sound, 2)) for row, sound in enumerate(sounds)]
    expected = np.zeros((7, 1600))
    for row, sound in enumerate(sounds):
        expected[row, : len(sound)] = sound / 32768
    for count in (1, 2, 3, 16):
        threads(count)
        batch = read_sounds(files, RATE)
        np.testing.assert_array_equal(batch.wave, expected)
        assert batch.lengths.tolist() == [len(sound) for sound in sounds]
        assert batch.rate == RATE


def test_of_no_files_there_is_an_empty_batch() -> None:
    assert read_sounds([], RATE).wave.shape == (0, 0)


def test_the_first_damaged_file_is_named_whatever_the_threads(tmp_path: Path, threads: Callable[[int], None]) -> None:
    files = [write_pcm(tmp_path / f"{row}.wav", pcm(50), 2) for row in range(8)]
    for row in (2, 5):
        files[row].write_bytes(files[row].read_bytes()[:-1])
    for count in (1, 2, 3):
        threads(count)
        with pytest.raises(DataFormatError, match=r"2\.wav is cut off"):
            read_sounds([str(file) for file in files], RATE)
