"""What the adapter hooks answer for sounds; imported by ``plugin.py`` when one of them is asked."""

from __future__ import annotations

import base64
import io
import math
import wave as wav
from collections.abc import Iterator, Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from mbti_audio.noise.levels import matching, rms
from mbti_audio.spectrogram import png, spectrogram
from mbti_audio.waves import Waves
from mbti_core.contracts.model import Rendering
from mbti_core.data.rng import Draws

_FRAME = 0.02  # seconds that are silenced at a time
_SHIFT = 0.1  # seconds, to both sides
_GAIN = 6.0  # dB, up and down
_GAINS = 241  # levels to choose from, 0.05 dB apart at most
_HISS = 0.005  # of full scale: -46 dB
_PLACES = 1 << 14  # in the hiss of an epoch, where a row's own may begin
_HEARD = 10  # seconds of a sound in a page, which would grow by 60 kB a second
_BARS = " ▁▂▃▄▅▆▇█"
_COLUMNS = 40  # of bars
_GAP = 2  # pixels between pictures of a grid
Span = tuple[int, int]


def superimpose(x: Waves, other: Waves, weight: float | None) -> Waves:
    """Return ``clip(x + weight * other)`` with ``other`` made as loud as ``x``; the weight is 1 unless said.

    ``other`` is cut where x ends, and is silent where it has ended itself; loudness is that of the part laid over x.
    """
    if weight == 0:
        return x
    part = functional.pad(other.wave, (0, x.wave.shape[1] - other.wave.shape[1])) * x.inside
    gain = matching(rms(x.wave, x.lengths), rms(part, torch.minimum(x.lengths, other.lengths)))
    return x.with_wave(x.wave + (1.0 if weight is None else weight) * gain * part)


def scaled(x: Waves, factor: float) -> Waves:
    """Return ``clip(factor * x)``."""
    return x if factor == 1 else x.with_wave(factor * x.wave)


def occlude(x: Waves) -> Iterator[tuple[Span, Waves]]:
    """Yield (start, end) in samples and the batch silent there, 20 ms after 20 ms of the longest sound."""
    step, longest = max(1, round(_FRAME * x.rate)), int(x.lengths.max()) if len(x) else 0
    for start in range(0, longest, step):
        end = min(start + step, longest)
        hidden = x.wave.clone()
        hidden[:, start:end] = 0
        yield (start, end), x.with_wave(hidden)


def augment(x: Waves, index: Tensor, strength: float, draws: Draws) -> Waves:
    """Shift each sound in time, with silence where nothing comes in, make it louder or quieter, and add a little hiss.

    Args:
        x: (B, T), on any device.
        index: (B,) int64, keys every draw.
        strength: 1 shifts by up to 100 ms, changes the level by up to 6 dB, both ways, and adds white noise of up to
            0.005 of full scale.
        draws: Randomness of this epoch.
    """
    if not x.wave.numel():
        return x
    index, samples = index.to(x.wave.device), x.wave.shape[1]
    most = round(strength * _SHIFT * x.rate)
    start = (draws.stream("shift").integers(index, 2 * most + 1) - most).clamp_(-samples, samples)
    # From a table: a power of each row by itself would depend on its place in the batch, in the last bit.
    gains = 10 ** (torch.linspace(-strength * _GAIN, strength * _GAIN, _GAINS, device=index.device) / 20)
    gain = gains[draws.stream("gain").integers(index, _GAINS)]
    level = strength * _HISS * draws.stream("level").uniform(index)
    place = draws.stream("place").integers(index, _PLACES)
    hiss, made = _hiss(draws, _PLACES + samples, index.device), torch.empty_like(x.wave)
    drawn = zip(start.tolist(), gain.tolist(), place.tolist(), level.tolist(), strict=True)
    # Row by row: each stays in the cache, where passes over a whole batch took twice as long.
    for row, wave, (shift, louder, at, hissing) in zip(made, x.wave, drawn, strict=True):
        torch.mul(hiss[at : at + samples], hissing, out=row)
        first, end = max(0, -shift), samples - max(0, shift)
        row[first:end].add_(wave[first + shift : end + shift] * louder)
    return x.with_wave(made)


@lru_cache(maxsize=2)
def _hiss(draws: Draws, samples: int, device: torch.device) -> Tensor:
    """Return the hiss of an epoch (samples,): one for all rows, each of which begins at a place of its own.

    To draw it anew for each row, or batch, would take a good part of the model's step.
    """
    return draws.stream("hiss").normal(torch.zeros(1, dtype=torch.int64, device=device), (samples,))[0]


def difference(x: Waves, y: Waves, factor: float) -> Waves:
    """Return ``factor * (y - x)``, or less where that would be louder than full scale: clipping adds tones."""
    change = factor * (functional.pad(y.wave, (0, x.wave.shape[1] - y.wave.shape[1])) - x.wave)
    peak = change.abs().amax(1, keepdim=True) if change.shape[1] else change.new_ones(len(x), 1)
    return x.with_wave(change / peak.clamp_min(1.0))


def render(x: Waves) -> Sequence[Rendering]:
    """Show each sound as a spectrogram and a player inside the page; for a terminal, as bars of its level."""
    return [_rendering(sound, x.rate) for sound in _sounds(x)]


def picture(rows: Sequence[Waves]) -> bytes:
    """Return a PNG of the spectrograms of batches of equal length, one batch below the other on white."""
    grid = [[_framed(spectrogram(sound, x.rate)) for sound in _sounds(x)] for x in rows]
    pixels = torch.cat([torch.cat(line, dim=1) for line in grid])
    return png(pixels[:-_GAP, :-_GAP])


def wav_files(x: Waves) -> Sequence[bytes]:
    """Return each sound without its padding as a WAV file of 16 bits, at the batch's rate."""
    return [_wav(sound, x.rate) for sound in _sounds(x)]


def _sounds(x: Waves) -> Iterator[Tensor]:
    """Yield each sound without its padding, on the CPU."""
    for row, length in zip(x.wave.cpu(), x.lengths.tolist(), strict=True):
        yield row[:length]


def _framed(pixels: Tensor) -> Tensor:
    return functional.pad(pixels, (0, 0, 0, _GAP, 0, _GAP), value=255)


def _rendering(sound: Tensor, rate: int) -> Rendering:
    level = float(rms(sound[None], torch.tensor([len(sound)])))
    loud = f"{20 * math.log10(level):.1f} dBFS" if level else "silent"
    seconds = len(sound) / max(1, rate)
    caption = f"{seconds:.2f} s at {rate} Hz, {loud}"
    cut = f" (the first {_HEARD} s)" if seconds > _HEARD else ""
    shown, played = (
        base64.b64encode(file).decode("ascii")
        for file in (png(spectrogram(sound, rate)), _wav(sound[: _HEARD * rate], rate))
    )
    html = (
        f'<img src="data:image/png;base64,{shown}" alt="Spectrogram, 0 to {rate / 2000:g} kHz: {caption}">'
        f'<audio controls src="data:audio/wav;base64,{played}" title="{caption}{cut}"></audio>'
    )
    return Rendering(html, caption + cut, text=f"{_bars(sound)} {caption}")


def _wav(sound: Tensor, rate: int) -> bytes:
    """Return a WAV file of 16 bits."""
    buffer = io.BytesIO()
    with wav.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(max(1, rate))
        file.writeframes(Waves(sound[None], torch.tensor([len(sound)]), rate).to_pcm().numpy().astype("<i2").tobytes())
    return buffer.getvalue()


def _bars(sound: Tensor) -> str:
    """Return the peaks of forty stretches of a sound, each step of a bar being 6 dB; blank from -48 dB down."""
    if not len(sound):
        return " " * _COLUMNS
    peaks = functional.adaptive_max_pool1d(sound.abs()[None], _COLUMNS)[0]
    steps = (len(_BARS) - 1 + (20 / 6) * peaks.clamp_min(1e-6).log10()).ceil().clamp(0, len(_BARS) - 1)
    return "".join(_BARS[int(step)] for step in steps.tolist())
