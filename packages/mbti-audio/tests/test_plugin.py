"""The plugin as core sees it."""

from __future__ import annotations

import subprocess
import sys

from mbti_core.plugins.manager import Registry


def test_the_modality_is_found_through_the_entry_point() -> None:
    registry = Registry()
    assert registry.modalities["audio"].name == "audio"
    assert [s.error for s in registry.statuses if s.name == "audio"] == [""]


def test_the_table_of_contents_imports_no_torch() -> None:
    code = "import sys, mbti_audio.plugin; sys.exit('torch' in sys.modules or 'soundfile' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
