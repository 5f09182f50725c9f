from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

from mbti_core.testing.reach import reachable


@dataclass(frozen=True)
class Holder:
    inside: Any


def test_whatever_way_leads_to_an_object_it_is_found_once() -> None:
    secret = Holder("truth")

    def closure() -> Holder:
        return secret

    def default(found: Holder = secret) -> Holder:
        return found

    ways: list[Any] = [Holder([secret]), {"a": (secret,)}, closure, default, partial(print, secret)]
    for way in ways:
        assert sum(found is secret for found in reachable(way)) == 1
    assert sum(found is secret for found in reachable(*ways)) == 1


def test_modules_types_and_globals_are_not_entered() -> None:
    secret = object()
    math.secret = secret  # type: ignore[attr-defined]  # for this test
    try:
        assert all(found is not secret for found in reachable(math, Holder(math), Holder, partial))
        assert all(found is not reachable for found in reachable(test_whatever_way_leads_to_an_object_it_is_found_once))
    finally:
        del math.secret  # type: ignore[attr-defined]  # as above
