"""One call from files to a verdict."""

from __future__ import annotations

from collections.abc import Callable

import torch

from mbti_core.engine.numerics import choose_device, choose_threads
from mbti_core.judging.case import Asked, open_case
from mbti_core.judging.findings import look
from mbti_core.judging.verdict import Scan, judge
from mbti_core.plugins.manager import Registry


def scan(asked: Asked, registry: Registry, device: str, hear: Callable[[str], None]) -> Scan:
    """Read what was given, run the defenses, and judge.

    Args:
        asked: What a person asked for.
        registry: Where components are found.
        device: ``auto``, ``cpu``, ``cuda:0``.
        hear: Hears the name of each defense that starts.

    Raises:
        MbtiError: For every mistake in what was given.
    """
    place, threads = torch.device(choose_device(device)), torch.get_num_threads()
    torch.set_num_threads(choose_threads({"large"}))
    try:
        case = open_case(asked, registry, place)
        return judge(case, asked, list(look(case, asked, registry, hear)))
    finally:
        torch.set_num_threads(threads)
