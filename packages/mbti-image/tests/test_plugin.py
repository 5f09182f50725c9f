from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import rich.style  # noqa: F401 - draws from Python's global generator when it is imported, which a test must not

from mbti_core import run
from mbti_core.plugins.manager import Registry
from mbti_image import plugin


def test_listing_imports_no_torch() -> None:
    code = """
import sys
from mbti_image import plugin
assert list(plugin.mbti_register()) and list(plugin.mbti_specs())
assert plugin.mbti_superimpose(None, None, "sound", None) is None
assert plugin.mbti_amplify(None, "sound", 1.0) is None
assert plugin.mbti_occlude(None, "sound") is None
assert plugin.mbti_augment(None, None, "sound", 1.0, None, {}) is None
assert plugin.mbti_render(None, "sound") is None
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("entry", Registry().components(modality="image"), ids=lambda entry: entry.component.id)
def test_every_target_exists_and_is_documented(entry: object) -> None:
    if entry.component.modality == "image":  # type: ignore[attr-defined]  # Registered
        assert entry.load().__doc__  # type: ignore[attr-defined]  # as above


def test_the_modality_is_found() -> None:
    assert Registry().modalities["image"].name == "image"


def test_the_built_in_experiment_names_what_exists() -> None:
    (experiment,) = plugin.mbti_specs()
    spec, registry = experiment["spec"], Registry()
    for kind in ("dataset", "attack", "model"):
        assert registry.find(kind, spec[kind]["name"], "image").component.modality == "image"


@pytest.mark.learn
def test_the_built_in_experiment_works(tmp_path: Path) -> None:
    (experiment,) = plugin.mbti_specs()
    spec = {**experiment["spec"], "defenses": []}
    (row,) = run(spec, store=tmp_path / "runs", threads=1).rows
    assert row["clean_accuracy"] >= 0.95
    assert row["asr"] >= 0.95
    assert row["benign_accuracy"] >= 0.95
    assert row["benign_asr"] <= 0.05
