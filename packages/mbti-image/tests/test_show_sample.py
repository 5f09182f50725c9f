from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from mbti_core.cli import main


def test_a_picture_of_a_patch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["show-sample", "image/badnets", "--rows", "4", "--output", "patch.png"]) == 0
    drawn = np.array(Picture.open("patch.png"))[::6, ::6]  # 16 pixels, 6 times enlarged, 1 between
    clean, bad, difference = (drawn[top : top + 16, :16].astype(int) for top in (0, 17, 34))
    at = np.zeros((16, 16), dtype=bool)
    at[13:, 13:] = True
    assert (bad[at] == 255).all()
    assert (bad[~at] == clean[~at]).all()
    assert (difference[~at] == 128).all()
    assert (difference == np.clip(128 + 10 * (bad - clean), 0, 255)).all()
    assert [file.name for file in tmp_path.iterdir()] == ["patch.png"]
