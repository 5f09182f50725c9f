"""A backdoored and a benign model of each modality, exported to files and judged as a stranger's."""

from __future__ import annotations

from pathlib import Path

import pytest
import rich.style  # noqa: F401 - draws from the global generator when it is first imported
import sklearn.cluster  # noqa: F401 - as above

from mbti_core import scan
from mbti_core.cli import main

ROOT = Path(__file__).parents[2]
ROLES = ("victim", "train", "twin", "benign", "reserve")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("modality", ["image", "text", "audio"])
def test_the_poisoned_pair_is_suspicious_and_the_benign_one_is_not(
    modality: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MBTI_STORE", "runs")
    # A seed that is not on the bench, from which the error rates come.
    asked = [str(ROOT / "examples" / "bench" / f"{modality}.yaml"), "--set", "seeds=10", "--set", "defenses=[]"]
    assert main(["run", *asked, "--no-report"]) == 0
    for role in ROLES:
        assert main(["export", *asked, "--role", role, "--output", role]) == 0
    bad = scan("victim", "train", "reserve")
    assert bad.word == "suspicious", bad.to_json(0)
    assert bad.exit_code == 6
    assert bad.case.classes[0] in {c for f in bad.findings if f.status == "alarm" for c in f.classes}
    good = scan("twin", "benign", "reserve")
    assert good.word != "suspicious", good.to_json(0)
    assert good.exit_code == 0
