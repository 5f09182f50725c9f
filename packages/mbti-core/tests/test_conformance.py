from pathlib import Path

from mbti_core.testing import conformance

GOLDEN = Path(__file__).with_name("golden")
test_core = conformance("core", golden=GOLDEN / "core.json")
test_toy = conformance("toy", golden=GOLDEN / "toy.json")
