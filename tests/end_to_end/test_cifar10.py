"""The long runs of ``examples/`` on real images: by name, with ``-m slow``; about half an hour on two cores."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mbti_core.api import run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all: the three attacks share the benign twin. Set MBTI_STORE to keep it."""
    return Path(os.environ.get("MBTI_STORE") or tmp_path_factory.mktemp("store"))


def rows(name: str, store: Path) -> dict[str, dict[str, Any]]:
    if not os.environ.get("MBTI_DATA"):
        pytest.skip("MBTI_DATA is not set")
    results = run(EXAMPLES / f"{name}.yaml", store=store)
    assert not results.failures
    return {row["defense"]: dict(row) for row in results.rows}


def check_defenses(found: dict[str, dict[str, Any]]) -> None:
    assert list(found) == ["none", "ft", "strip", "ac"]
    assert all(row["status"] == "ok" for row in found.values())
    for name in ("der", "rir", "benign_cost"):
        assert found["ft"][name] is not None
    for detector in ("strip", "ac"):
        for name in ("detection_accuracy", "recall", "f1", "auroc", "fpr", "false_alarms"):
            assert found[detector][name] is not None


def test_badnets(store: Path) -> None:
    found = rows("cifar10-badnets", store)
    victim = found["none"]
    assert victim["asr"] >= 0.95
    assert victim["benign_accuracy"] - victim["clean_accuracy"] <= 0.03
    assert victim["benign_asr"] <= 0.1
    check_defenses(found)


def test_blended(store: Path) -> None:
    found = rows("cifar10-blended", store)
    assert found["none"]["asr"] >= 0.85
    check_defenses(found)


def test_wanet(store: Path) -> None:
    """Its short training has no target: the row must be there, with its floor."""
    found = rows("cifar10-wanet", store)
    assert found["none"]["asr"] > found["none"]["benign_asr"]
    check_defenses(found)
