"""The plugin as core sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mbti_core.plugins.manager import Registry


def test_the_modality_is_found_through_the_entry_point() -> None:
    registry = Registry()
    assert registry.modalities["audio"].name == "audio"
    assert [s.error for s in registry.statuses if s.name == "audio"] == [""]


def test_the_table_of_contents_imports_no_torch() -> None:
    code = "import sys, mbti_audio.plugin; sys.exit('torch' in sys.modules or 'soundfile' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


_RUN = """
import sys
import mbti_core
from mbti_core.engine.built_in import built_in_specs
from mbti_core.plugins.manager import registry
(spec,) = (s["spec"] for s in built_in_specs(registry()) if s["name"] == "melodies")
rows = mbti_core.run({**spec, "defenses": []}, store=sys.argv[1], report=False).rows  # they are another package's
assert rows[0]["asr"] > 0.95 and rows[0]["benign_asr"] < 0.1 and rows[0]["clean_accuracy"] > 0.95, rows[0]
assert not {"torchvision", "transformers"} & set(sys.modules)
"""


@pytest.mark.timeout(300)
def test_the_built_in_experiment_runs_offline_and_without_libraries_of_others(tmp_path: Path) -> None:
    env = {key: value for key, value in os.environ.items() if key != "MBTI_DATA"}
    assert subprocess.run([sys.executable, "-c", _RUN, str(tmp_path)], check=False, env=env).returncode == 0


_HEARD = """
import sys
import mbti_core
from mbti_core.engine.built_in import built_in_specs
from mbti_core.plugins.manager import registry
(spec,) = (s["spec"] for s in built_in_specs(registry()) if s["name"] == "melodies")
spec = {**spec, "dataset": {"name": "melodies"}, "defenses": []}
print(*(failure.error for failure in mbti_core.run(spec, store=sys.argv[1], report=False).failures))
"""


@pytest.mark.timeout(300)
def test_a_rate_that_cannot_carry_the_tone_is_refused_with_the_least_that_can(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", _HEARD, str(tmp_path)], check=True, capture_output=True, text=True)
    assert "21000 Hz needs a rate of at least 43050 Hz; the data set has 16000 Hz" in ran.stdout
    assert "dataset.rate to 44100" in ran.stdout
