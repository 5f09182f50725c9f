"""Sound files to 16-bit PCM: every kind of file becomes one channel at the rate that was asked for."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor, nn

from mbti_audio.waves import FULL_SCALE, Waves, from_pcm
from mbti_core.data.reading import reading
from mbti_core.errors import DataFormatError

_AGAIN = "Copy or download the file again, or remove it."
_LARGEST_FILTER = 1 << 24  # weights, 64 MB: enough for any two rates in use; 15,999 to 16,000 Hz would take 1 GB
_Array = np.ndarray[Any, np.dtype[Any]]


def read_sound(path: Path, rate: int) -> Tensor:
    """Return one sound as int16 PCM (n,), n > 0.

    Samples of one 16-bit channel at ``rate`` come as they are. Of several channels the mean is taken; another rate is
    resampled (windowed sinc), n samples to ceil(n * rate / own rate); the result is rounded to the nearest of the 2^16
    levels, and clipped where it is louder than full scale.

    Args:
        path: A WAV file of 8, 16, 24 or 32 bits or floating-point samples, FLAC, OGG, or what libsndfile reads besides.
        rate: Samples per second of the result.

    Raises:
        DataUnavailableError: If the file is missing or may not be read.
        DataFormatError: If it is no sound, cut off, empty, or holds NaN or infinite samples; names it.
    """
    with reading(path, "a sound file", (OSError,)):
        with path.open("rb") as file:
            promised, present = _data_bytes(file)
        if present < promised:
            raise DataFormatError(
                f"{path} is cut off: its header promises {promised:,} bytes of samples, {present:,} are there.",
                "Copy or download the file again; if it is whole, convert it anew to mend its header.",
            )
        samples, own = _decoded(path)
    if not len(samples):
        raise DataFormatError(f"{path} holds no samples.", _AGAIN)
    if samples.dtype == np.int16 and own == rate:
        return torch.from_numpy(samples)
    return _levels(_at_rate(_finite_channel(samples, own, path), own, rate, path))


def read_sounds(files: Sequence[str], rate: int) -> Waves:
    """Return sounds as one batch, padded to the longest, read in as many threads as torch's.

    Raises:
        DataUnavailableError, DataFormatError: As ``read_sound`` does, for the first file that it refuses.
    """
    count = len(files)
    workers = max(1, min(torch.get_num_threads(), count))

    def share(number: int) -> list[Tensor]:
        return [read_sound(Path(f), rate) for f in files[number * count // workers : (number + 1) * count // workers]]

    if workers == 1:
        sounds = share(0)
    else:
        with ThreadPoolExecutor(workers) as pool:
            sounds = [sound for part in pool.map(share, range(workers)) for sound in part]
    lengths = np.array([len(sound) for sound in sounds], dtype=np.int64)
    starts = np.cumsum(lengths) - lengths
    flat = torch.cat([torch.zeros(0, dtype=torch.int16), *sounds])
    return from_pcm(flat, starts.tolist(), lengths.tolist(), int(lengths.max(initial=0)), rate)


def _data_bytes(file: BinaryIO) -> tuple[int, int]:
    """Return how many bytes of samples a WAV header promises and how many there are; zeros for any other file.

    libsndfile reads a file that was cut off as if it were a shorter one.
    """
    size = os.fstat(file.fileno()).st_size
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return 0, 0
    while len(chunk := file.read(8)) == 8:
        length = int.from_bytes(chunk[4:], "little")
        if chunk[:4] == b"data":
            return length, size - file.tell()
        file.seek(length + length % 2, os.SEEK_CUR)  # chunks start at even places
    return 0, 0


def _decoded(path: Path) -> tuple[_Array, int]:
    """Return int16 (n,) of one 16-bit channel, otherwise float64 (n, channels) in units of full scale; and the rate."""
    import soundfile  # noqa: PLC0415 - prepared data needs none

    try:
        with soundfile.SoundFile(path) as file:
            exact = file.channels == 1 and file.subtype == "PCM_16"
            samples = file.read(dtype="int16") if exact else file.read(dtype="float64", always_2d=True)
            return samples, file.samplerate
    except soundfile.LibsndfileError as error:
        raise DataFormatError(
            f"{path} does not hold a sound that can be decoded: {error.error_string.rstrip('.')}.", _AGAIN
        ) from error


def _finite_channel(samples: _Array, rate: int, path: Path) -> Tensor:
    """Return (n,) float64, in units of full scale."""
    if samples.dtype == np.int16:
        return torch.from_numpy(samples).double() / FULL_SCALE
    broken = ~np.isfinite(samples).all(axis=1)
    if broken.any():
        raise DataFormatError(
            f"{path} holds {int(broken.sum()):,} samples that are NaN or infinite, "
            f"the first at {np.argmax(broken) / rate:.4f} s.",
            "Write the file again from where it comes from, or remove it.",
        )
    return torch.from_numpy(samples.mean(axis=1))


def _at_rate(channel: Tensor, own: int, rate: int, path: Path) -> Tensor:
    if own == rate:
        return channel
    if own * rate // math.gcd(own, rate) ** 2 > _LARGEST_FILTER:
        raise DataFormatError(
            f"{path} has {own:,} Hz; to {rate:,} Hz, that is no ratio of small numbers, so it cannot be resampled.",
            f"Convert it to {rate:,} Hz with an audio editor.",
        )
    resampled: Tensor = _resampler(own, rate)(channel.float())
    return resampled


@lru_cache(maxsize=8)
def _resampler(own: int, rate: int) -> nn.Module:
    from torchaudio.transforms import Resample  # noqa: PLC0415 - most data sets have their own rate

    # The function of the same name makes its filter anew for each file, which takes longer than to apply it.
    made: nn.Module = Resample(own, rate)
    return made


def _levels(channel: Tensor) -> Tensor:
    return (channel * FULL_SCALE).round().clamp(-FULL_SCALE, FULL_SCALE - 1).to(torch.int16)
