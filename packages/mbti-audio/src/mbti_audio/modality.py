"""How sound is stored, held and made into model inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
    """Sounds of a memory-mapped int16 array, with the start of each."""

    def __init__(self, folder: Path) -> None:
        self._start = np.load(folder / "start.npy", allow_pickle=False)
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
        samples = torch.from_numpy(lengths)
        return from_pcm(flat, samples.cumsum(0) - samples, samples, int(lengths.max(initial=0)))


@dataclass(frozen=True)
class HeldPcm:
    """Sounds on the device as int16, made into floats batch by batch.

    Every batch is padded to the longest sound of the whole column: what a model answers does not depend on the batch.

    Attributes:
        flat: (total,) int16.
        start: (N + 1,) int64.
        longest: Samples of the longest sound.
    """

    flat: Tensor
    start: Tensor
    longest: int

    def __len__(self) -> int:
        """Return the number of sounds."""
        return len(self.start) - 1

    def take(self, rows: Tensor) -> Waves:
        """Return the sounds at positions ``rows`` (n,) on the device."""
        at = rows.to(self.start.device)
        return from_pcm(self.flat, self.start[at], self.start[at + 1] - self.start[at], self.longest)

    def lengths(self) -> Tensor | None:
        """Return None: every batch is padded to the same length."""
        return None


class AudioModality(Modality[Waves]):
    """Sound: a sample is mono int16 PCM of any length; the rate is a fact of the data set.

    Shape: (B, T) float32 in [-1, 1] as triggers and models see it.
    """

    name = "audio"
    summary = "Mono sound as 16-bit PCM"

    def write(self, batches: Iterable[Waves], folder: Path, total: int) -> None:
        """Write ``x.npy`` (all samples end to end) batch by batch, and ``start.npy``."""
        start, at = np.zeros(total + 1, dtype=np.int64), 0
        with (folder / "x.npy").open("wb") as file:
            _write_header(file, 0)
            for batch in batches:
                pcm = batch.to_pcm().cpu().numpy()
                pcm.tofile(file)
                start[at + 1 : at + 1 + len(batch)] = start[at] + np.cumsum(batch.lengths.cpu().numpy())
                at += len(batch)
            file.seek(0)
            _write_header(file, int(start[at]))
        np.save(folder / "start.npy", start[: at + 1])

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
        return Waves(x.wave[rows], x.lengths[rows])

    def hold(self, column: Column[Waves], model: nn.Module | None, device: torch.device) -> HeldPcm:
        """Read the column once, in pieces, and put it on the device as int16; nothing to encode."""
        del model
        n = len(column)
        pieces = [column.take(torch.arange(at, min(at + _PIECE, n))) for at in range(0, n, _PIECE)]
        lengths = torch.cat([torch.zeros(1, dtype=torch.int64), *(p.lengths for p in pieces)])
        flat = torch.cat([torch.zeros(0, dtype=torch.int16), *(p.to_pcm() for p in pieces)])
        return HeldPcm(flat.to(device), lengths.cumsum(0).to(device), int(lengths.max()))

    def to_input(self, x: Any, device: torch.device) -> Tensor:
        """Return (B, T) float32 in [-1, 1]."""
        wave: Tensor = x.wave.to(device)
        return wave


def _write_header(file: Any, samples: int) -> None:
    # numpy leaves room in the header for the first axis to grow to 21 digits, so writing it again moves nothing.
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype("<i2")), "fortran_order": False, "shape": (samples,)}
    np.lib.format.write_array_header_1_0(file, header)
