"""What all attacks on sounds have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from mbti_audio.loudness import to_rms
from mbti_audio.modality import AudioModality
from mbti_audio.tones import meow, songs
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import Attack, FitContext, PoisonContext, Role, State
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.plugins.manager import Registry
from mbti_core.stages.fit import fits

RATE = 16000
LENGTHS = [16000, 0, 1, 5, 400, 8000, 12345, 20000]
# Learned by a search against a model: here a sound of about the right kind will do.
LEARNED: Mapping[str, State] = {
    "daba": {"sound": to_rms(songs(1, RATE, Draws(0))[0])},
    "flowmur": {"sound": 0.2 * torch.sin(torch.arange(8000) * 0.3)},
}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("badnets", {}),
    ("blended", {}),
    ("ultrasonic", {"frequency": 7000}),
    ("ultrasonic", {"frequency": 7000, "size": 8, "position": "end"}),
    ("ultrasonic", {"frequency": 7000, "size": 50, "position": "mid", "continuous": False}),
    *(("gis", {"style": style}) for style in range(6)),
    ("piba", {}),
    ("phaseback", {}),
    ("vsvc_formant", {}),
    ("daba", {}),
    ("flowmur", {}),
]
ROLES: list[Role] = ["train", "test"]
IDS = ["-".join([name, *map(str, settings.values())]) for name, settings in CASES]


class Armed(NamedTuple):
    """An attack and what its trigger needs."""

    attack: Attack[Waves]
    state: State


@pytest.fixture(params=CASES, ids=IDS)
def armed(
    request: pytest.FixtureRequest,
    waves_of: Callable[..., Waves],
    split_of: Callable[..., Split[Waves]],
    fit_context: FitContext,
) -> Armed:
    name, settings = request.param
    attack: Attack[Waves] = Registry().find("attack", f"audio/{name}").load()(**settings)
    if name in LEARNED:
        return Armed(attack, LEARNED[name])
    split = split_of(waves_of([RATE] * 2), [0, 1])
    return Armed(attack, attack.fit(split, fit_context) if fits(attack) else {})


def cut(x: Waves, rows: Tensor) -> Waves:
    """Rows as a column gives them: padded to the longest among them."""
    part = AudioModality().select(x, rows)
    return Waves(part.wave[:, : int(part.lengths.max())], part.lengths, part.rate)


@pytest.mark.parametrize("role", ROLES)
def test_neither_the_batch_nor_its_padding_shows_in_what_is_stored(
    armed: Armed, role: Role, waves_of: Callable[..., Waves], context_of: Callable[..., PoisonContext]
) -> None:
    x, index = waves_of(LENGTHS), torch.arange(len(LENGTHS)) * 7 + 3
    whole = armed.attack.poison(x, context_of(index, armed.state, role)).to_pcm()
    for size in (1, 7):
        rows = torch.split(torch.arange(len(LENGTHS)), size)
        parts = [armed.attack.poison(cut(x, at), context_of(index[at], armed.state, role)).to_pcm() for at in rows]
        assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("role", ROLES)
def test_every_row_changes_and_keeps_its_form(
    armed: Armed, role: Role, waves_of: Callable[..., Waves], context_of: Callable[..., PoisonContext]
) -> None:
    x = waves_of(LENGTHS)
    before, kept = x.wave.clone(), {name: t.clone() for name, t in armed.state.items()}
    made = armed.attack.poison(x, context_of(torch.arange(len(LENGTHS)), armed.state, role))
    assert torch.equal(x.wave, before)
    assert all(torch.equal(armed.state[name], t) for name, t in kept.items())
    assert (made.wave.shape, made.wave.dtype, made.rate) == (x.wave.shape, torch.float32, RATE)
    assert torch.equal(made.lengths, x.lengths)
    assert bool(made.wave.isfinite().all())
    assert float(made.wave.abs().max()) <= 1.0
    assert not bool(made.wave[~made.inside].any())
    levels = [(row.wave * 32768).round() for row in (x, made)]
    changed = (levels[0] != levels[1]).any(1)
    assert changed[torch.tensor(LENGTHS) >= 400].all()


@pytest.mark.parametrize("lengths", [[], [0], [0, 0, 1], [3, 2]])
def test_sounds_of_next_to_nothing_pass(
    armed: Armed, lengths: list[int], waves_of: Callable[..., Waves], context_of: Callable[..., PoisonContext]
) -> None:
    x = waves_of(lengths, rate=RATE if lengths else 0)
    made = armed.attack.poison(x, context_of(torch.arange(len(lengths)), armed.state))
    assert made.wave.shape == x.wave.shape
    assert bool(made.wave.isfinite().all())


def test_silence_gives_numbers(armed: Armed, context_of: Callable[..., PoisonContext]) -> None:
    x = Waves(torch.zeros(2, 900), torch.tensor([900, 300]), RATE)
    made = armed.attack.poison(x, context_of(torch.arange(2), armed.state))
    assert bool(made.wave.isfinite().all())


def test_full_scale_stays_in_range(armed: Armed, context_of: Callable[..., PoisonContext]) -> None:
    wave = torch.sign(torch.sin(torch.arange(4000) * 0.05))[None]
    made = armed.attack.poison(Waves(wave, torch.tensor([4000]), RATE), context_of(torch.arange(1), armed.state))
    assert float(made.wave.abs().max()) <= 1.0


def test_the_meow_is_no_state_of_a_generator() -> None:
    assert torch.equal(meow(RATE), meow(RATE))
