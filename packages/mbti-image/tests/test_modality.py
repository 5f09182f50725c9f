from __future__ import annotations

from pathlib import Path

import torch

from mbti_image.modality import modality, to_float


def test_storage_form_becomes_floats_in_the_unit_interval(images: torch.Tensor) -> None:
    x = modality().to_input(images, torch.device("cpu"))
    assert (x.dtype, x.shape) == (torch.float32, images.shape)
    assert x.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(x * 255, images.float())
    assert (float(x.min()), float(x.max())) == (0.0, 1.0)


def test_floats_pass_as_they_are() -> None:
    x = torch.rand(2, 3, 8, 8, requires_grad=True)
    y = to_float(x)
    assert torch.equal(x, y)
    assert y.is_contiguous(memory_format=torch.channels_last)
    y.sum().backward()
    assert x.grad is not None


def test_columns_come_back_bit_for_bit(tmp_path: Path, images: torch.Tensor) -> None:
    image = modality()
    image.write(images.split(7), tmp_path, len(images))
    column = image.open(tmp_path)
    assert torch.equal(column.take(torch.arange(50)), images)
    assert image.row_bytes(column) == 3072
