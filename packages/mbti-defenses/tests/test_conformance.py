from __future__ import annotations

from mbti_core.testing import conformance

test_conformance = conformance("defenses")
