from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from mbti_core.data.rng import Draws
from mbti_core.errors import DataFormatError, DataUnavailableError
from mbti_image.patterns import draw_noise, draw_patch, load_patch, load_picture


def test_a_square_is_of_one_level() -> None:
    patch = draw_patch("square", 4, 200, Draws(0))
    assert (patch.shape, patch.dtype) == ((4, 4, 4), torch.uint8)
    assert patch[:3].unique().tolist() == [200]
    assert patch[3].unique().tolist() == [255]


@pytest.mark.parametrize(
    ("size", "expected"),
    [(3, ["#.#", ".#.", "#.#"]), (2, ["#.", ".#"]), (4, ["#.#.", ".#.#", "#.#.", ".#.#"])],
)
def test_a_checkerboard_alternates(size: int, expected: list[str]) -> None:
    patch = draw_patch("checkerboard", size, 255, Draws(0))
    for channel in patch[:3]:
        assert ["".join("#" if level else "." for level in row) for row in channel.tolist()] == expected
    assert draw_patch("checkerboard", size, 200, Draws(0))[:3].unique().tolist() == [55, 200]


def test_noise_has_eight_colors_in_equal_parts() -> None:
    noise = draw_noise(Draws(3), 64, 64)
    colors = (noise > 0).long()
    counts = torch.bincount((colors[0] + 2 * colors[1] + 4 * colors[2]).flatten(), minlength=8)
    assert noise.unique().tolist() == [0, 255]
    assert (counts - 512).abs().max() < 5 * 512**0.5
    assert not torch.equal(noise, draw_noise(Draws(4), 64, 64))
    assert torch.equal(draw_patch("noise", 8, 255, Draws(3))[:3], draw_noise(Draws(3), 8, 8))


def save(path: Path, picture: Picture.Image) -> Path:
    picture.save(path)
    return path


def test_a_patch_file_keeps_its_size_colors_and_opacity(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    got = load_patch(save(tmp_path / "alpha.png", Picture.fromarray(pixels)))
    np.testing.assert_array_equal(got.numpy(), pixels.transpose(2, 0, 1))
    got = load_patch(save(tmp_path / "plain.png", Picture.fromarray(pixels[..., :3].copy())))
    np.testing.assert_array_equal(got[:3].numpy(), pixels[..., :3].transpose(2, 0, 1))
    assert got[3].unique().tolist() == [255]


def test_every_kind_of_file_becomes_eight_bits_of_color(tmp_path: Path) -> None:
    deep = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    got = load_patch(save(tmp_path / "deep.png", Picture.fromarray(deep)))
    np.testing.assert_array_equal(got[1].numpy(), np.arange(256).reshape(16, 16))
    palette = Picture.fromarray(np.tile(np.uint8([[[250, 20, 30]]]), (4, 4, 1))).convert(
        "P", palette=Picture.Palette.ADAPTIVE
    )
    assert load_patch(save(tmp_path / "palette.png", palette))[:, 0, 0].tolist() == [250, 20, 30, 255]
    cmyk = Picture.new("CMYK", (4, 4), (0, 0, 0, 0))
    assert load_picture(save(tmp_path / "cmyk.jpg", cmyk), 4, 4).float().mean() > 250
    clear = Picture.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert load_picture(save(tmp_path / "clear.png", clear), 2, 2).unique().tolist() == [255]


@pytest.mark.parametrize("load", [load_patch, lambda path: load_picture(path, 8, 8)], ids=["patch", "picture"])
def test_says_what_is_wrong_with_a_file(load: object, tmp_path: Path) -> None:
    assert callable(load)
    with pytest.raises(DataUnavailableError, match=r"no file .*nowhere\.png"):
        load(tmp_path / "nowhere.png")
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(DataFormatError, match=r"empty\.png: expected a picture"):
        load(tmp_path / "empty.png")
    whole = save(tmp_path / "whole.png", Picture.fromarray(np.zeros((64, 64, 3), dtype=np.uint8) + 7))
    (tmp_path / "half.png").write_bytes(whole.read_bytes()[:60])
    with pytest.raises(DataFormatError, match=r"half\.png: expected a picture"):
        load(tmp_path / "half.png")
