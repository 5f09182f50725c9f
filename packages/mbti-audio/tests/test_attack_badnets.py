"""A click at the start."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from mbti_audio.attacks.badnets import BadNets
from mbti_audio.waves import Waves
from mbti_core.contracts.attack import PoisonContext


@pytest.mark.parametrize(("samples", "value"), [(4, -1.0), (1, 0.5), (100, 0.0)])
def test_the_first_samples_are_overwritten_and_no_other(
    samples: int, value: float, waves_of: Callable[..., Waves], context_of: Callable[..., PoisonContext]
) -> None:
    x = waves_of([500, 3, 0])
    made = BadNets(samples=samples, value=value).poison(x, context_of(torch.arange(3))).wave.numpy()
    exact = x.wave.numpy().copy()
    for row, length in enumerate([500, 3, 0]):
        exact[row, : min(samples, length)] = value
    np.testing.assert_array_equal(made, exact)


def test_a_value_is_a_sample_s() -> None:
    with pytest.raises(ValidationError):
        BadNets(value=-1.5)
    with pytest.raises(ValidationError):
        BadNets(samples=0)
