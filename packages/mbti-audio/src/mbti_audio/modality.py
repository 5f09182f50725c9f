"""How sound is stored, held and made into model inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mbti_audio.waves import Waves, from_pcm, join
from mbti_core.contracts.modality import Column, Modality

_PIECE = 256  # sounds read at once
_PROBE = 16  # sounds that say how long one is


class PcmColumn:
    """Sounds of a memory-mapped int16 array, with the start of each, and their rate."""

    def __init__(self, folder: Path) -> None:
        self._start = np.load(folder / "start.npy", allow_pickle=False)
        self._rate = int(np.load(folder / "rate.npy", allow_pickle=False))
        self._pcm = np.load(folder / "x.npy", mmap_mode="r" if self._start[-1] else None, allow_pickle=False)

    def __len__(self) -> int:
        """Return the number of sounds."""
        return len(self._start) - 1

    def take(self, rows: Tensor) -> Waves:
        """Return the sounds at positions ``rows`` (n,), padded to the longest of them."""
        at = rows.numpy()
        lengths = self._start[at + 1] - self._start[at]
        pieces = [self._pcm[s : s + n] for s, n in zip(self._start[at], lengths, strict=True)]
        flat = torch.from_numpy(np.concatenate([np.zeros(0, np.int16), *pieces]))
        starts = np.cumsum(lengths) - lengths
        return from_pcm(flat, starts.tolist(), lengths.tolist(), int(lengths.max(initial=0)), self._rate)


class HeldPcm:
    """Sounds on the device as int16, made into floats batch by batch.

    Every batch is padded to the longest sound of the whole column: what a model answers does not depend on the batch.

    Args:
        flat: (total,) int16.
        lengths: Samples per sound.
        rate: Samples per second.
    """

    def __init__(self, flat: Tensor, lengths: Sequence[int], rate: int) -> None:
        self._flat, self._lengths, self._rate = flat, list(lengths), rate
        self._starts = [0, *accumulate(self._lengths)]

    def __len__(self) -> int:
        """Return the number of sounds."""
        return len(self._lengths)

    def take(self, rows: Tensor) -> Waves:
        """Return the sounds at positions ``rows`` (n,) on the device."""
        at = rows.tolist()
        starts, lengths = [self._starts[row] for row in at], [self._lengths[row] for row in at]
        return from_pcm(self._flat, starts, lengths, max(self._lengths, default=0), self._rate)

    def lengths(self) -> Tensor | None:
        """Return None: every batch is padded to the same length."""
        return None


class AudioModality(Modality[Waves]):
    """Sound: a sample is mono int16 PCM of any length; all sounds of a column have one rate, which each batch carries.

    Shape: (B, T) float32 in [-1, 1] as triggers and models see it.
    """

    name = "audio"
    summary = "Mono sound as 16-bit PCM"

    def write(self, batches: Iterable[Waves], folder: Path, total: int) -> None:
        """Write ``x.npy`` (all samples end to end) batch by batch, ``start.npy`` and ``rate.npy``."""
        start, at, rate = np.zeros(total + 1, dtype=np.int64), 0, 0
        with (folder / "x.npy").open("wb") as file:
            _write_header(file, 0)
            for batch in batches:
                pcm = batch.to_pcm().cpu().numpy()
                pcm.tofile(file)
                start[at + 1 : at + 1 + len(batch)] = start[at] + np.cumsum(batch.lengths.cpu().numpy())
                at, rate = at + len(batch), batch.rate
            file.seek(0)
            _write_header(file, int(start[at]))
        np.save(folder / "start.npy", start[: at + 1])
        np.save(folder / "rate.npy", np.int64(rate))

    def open(self, folder: Path) -> Column[Waves]:
        """Open ``x.npy`` memory-mapped."""
        return PcmColumn(folder)

    def row_bytes(self, column: Column[Waves]) -> int:
        """Return the mean bytes of the first sounds in float form."""
        probe = column.take(torch.arange(min(_PROBE, len(column))))
        return 4 * max(1, probe.wave.shape[1])

    def join(self, parts: Sequence[Waves]) -> Waves:
        """Concatenate batches, padded to the longest."""
        return join(parts)

    def select(self, x: Waves, rows: Tensor) -> Waves:
        """Index the batch axis."""
        return Waves(x.wave[rows], x.lengths[rows], x.rate)

    def hold(self, column: Column[Waves], model: nn.Module | None, device: torch.device) -> HeldPcm:
        """Read the column once, in pieces, and put it on the device as int16; nothing to encode."""
        del model
        n = len(column)
        pieces = [column.take(torch.arange(at, min(at + _PIECE, n))) for at in range(0, n, _PIECE)]
        flat = torch.cat([torch.zeros(0, dtype=torch.int16), *(p.to_pcm() for p in pieces)])
        lengths = [length for p in pieces for length in p.lengths.tolist()]
        return HeldPcm(flat.to(device), lengths, max((p.rate for p in pieces), default=0))

    def to_input(self, x: Any, device: torch.device) -> Waves:
        """Return the batch on the device: a model needs to know where each sound ends."""
        moved: Waves = replace(x, wave=x.wave.to(device), lengths=x.lengths.to(device))
        return moved


def _write_header(file: Any, samples: int) -> None:
    # numpy leaves room in the header for the first axis to grow to 21 digits, so writing it again moves nothing.
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype("<i2")), "fortran_order": False, "shape": (samples,)}
    np.lib.format.write_array_header_1_0(file, header)
