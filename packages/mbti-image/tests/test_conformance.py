from __future__ import annotations

from pathlib import Path

from mbti_core.testing import conformance

test_conformance = conformance("image", golden=Path(__file__).with_name("golden.json"))
