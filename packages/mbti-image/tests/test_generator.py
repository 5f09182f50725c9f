from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mbti_core.data.dense import ArrayColumn
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_image.generator import Generator, answers, check_size, fresh_generator, kept_generator, rounded, to_bytes
from mbti_image.modality import to_float


@pytest.fixture
def net() -> Generator:
    """A net whose running statistics are not those of its start."""
    made = fresh_generator(3, 4, torch.device("cpu"))
    for _ in range(3):
        made(torch.rand(8, 3, 32, 32))
    return made.eval()


def test_has_as_many_weights_as_the_original() -> None:
    count = sum(p.numel() for p in Generator(3, 32).parameters())
    assert count == pytest.approx(723_273, rel=0.002)  # the original's convolutions have a bias before each BatchNorm


@pytest.mark.parametrize("size", [(16, 16), (17, 23), (32, 32), (89, 109)])
def test_any_size(size: tuple[int, int], net: Generator) -> None:
    with torch.no_grad():
        assert net(torch.rand(2, 3, *size)).shape == (2, 3, *size)


def test_an_answer_depends_on_its_row_alone(net: Generator, images: torch.Tensor) -> None:
    whole = answers(net, images)
    torch.testing.assert_close(whole, net(to_float(images)).detach(), atol=1e-5, rtol=1e-5)
    for size in (1, 7, 33):
        assert torch.equal(torch.cat([answers(net, part) for part in images.split(size)]), whole)
    assert torch.equal(answers(net, images.flip(0)), whole.flip(0))
    assert answers(net, images[:0]).shape == (0, 3, 32, 32)


def test_comes_back_from_its_state_without_a_draw(net: Generator, images: torch.Tensor) -> None:
    state = {f"beside.{name}": t for name, t in net.state_dict().items()} | {"mask.other": torch.zeros(1)}
    before = torch.random.get_rng_state()
    kept = kept_generator(3, 4, state, "beside.")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(answers(kept, images), answers(net, images))
    assert not kept(torch.rand(1, 3, 32, 32)).requires_grad


def test_rounding_passes_gradients_inside_the_range() -> None:
    x = torch.tensor([-0.2, 0.1, 0.5, 0.999, 1.3], requires_grad=True)
    y = rounded(x)
    assert torch.allclose(y * 255, torch.tensor([0.0, 26.0, 128.0, 255.0, 255.0]), atol=1e-4)
    (y * torch.arange(1.0, 6.0)).sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 2.0, 3.0, 4.0, 0.0]


def test_bytes_are_what_is_rounded() -> None:
    x = torch.linspace(-0.1, 1.1, 1001)
    assert torch.allclose(to_bytes(x).float() / 255, rounded(x), atol=1e-6)
    assert to_bytes(x).dtype == torch.uint8


def test_pictures_that_are_too_small_are_refused(images: torch.Tensor, split: Split[torch.Tensor]) -> None:
    check_size(split)
    small = replace(split, column=ArrayColumn(images[:, :, :15].contiguous().numpy()))
    with pytest.raises(ConfigError, match="at least 16 pixels a side, got 15 x 32"):
        check_size(small)
