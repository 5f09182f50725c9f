"""Every kind of picture against Pillow or a formula by hand; damage; threads."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from mbti_core.errors import DataFormatError
from mbti_image.datasets.decode import decode, decode_all, gather, resize

Array = np.ndarray[Any, np.dtype[Any]]
PIXELS: Array = np.random.default_rng(0).integers(0, 256, (12, 9, 3), dtype=np.uint8)


def encoded(picture: Picture.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def png(levels: Array, color: int, *, chunk: bytes = b"") -> bytes:
    """Write a PNG by hand: Pillow writes no 16-bit colors. ``color``: 0 gray, 2 RGB, 4 gray and alpha, 6 RGBA."""

    def part(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    depth = 8 * levels.itemsize
    header = struct.pack(">IIBBBBB", levels.shape[1], levels.shape[0], depth, color, 0, 0, 0)
    lines = b"".join(b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for row in levels)
    return (
        b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + chunk + part(b"IDAT", zlib.compress(lines)) + part(b"IEND", b"")
    )


def shown(data: bytes) -> Array:
    """Return the decoded picture (H, W, 3)."""
    picture = decode(data, "x")
    assert picture.dtype == torch.uint8
    assert len(picture) == 3
    return picture.permute(1, 2, 0).numpy()


@pytest.mark.parametrize(("form", "options"), [("PNG", {}), ("BMP", {}), ("PPM", {}), ("WEBP", {"lossless": True})])
def test_lossless_files_give_their_pixels(form: str, options: dict[str, Any]) -> None:
    np.testing.assert_array_equal(shown(encoded(Picture.fromarray(PIXELS), form, **options)), PIXELS)


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_lossy_files_are_read_as_pillow_reads_them(form: str) -> None:
    data = encoded(Picture.fromarray(PIXELS), form, quality=90)
    expected = np.array(Picture.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(shown(data), expected)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "PPM"])
def test_gray_gets_three_equal_channels(form: str) -> None:
    gray = Picture.fromarray(PIXELS[..., 0])
    data = encoded(gray, form)
    level = np.array(Picture.open(io.BytesIO(data)))
    np.testing.assert_array_equal(shown(data), np.stack([level] * 3, axis=-1))


def test_one_bit() -> None:
    bits = PIXELS[..., 0] > 127
    expected = np.stack([255 * bits.astype(np.uint8)] * 3, axis=-1)
    np.testing.assert_array_equal(shown(encoded(Picture.fromarray(bits), "PNG")), expected)


def test_a_palette_gives_colors_and_not_its_indices() -> None:
    colors = np.array([[200, 100, 50], [0, 255, 7], [9, 9, 9]], np.uint8)
    index = (PIXELS[..., 0] % 3).astype(np.uint8)
    picture = Picture.fromarray(index).convert("P")
    picture.putpalette(colors.tobytes())
    picture.putdata(index.flatten().tolist())
    for form in ("PNG", "BMP"):
        np.testing.assert_array_equal(shown(encoded(picture, form)), colors[index])


def over_white(color: Array, alpha: Array) -> Array:
    a = alpha.astype(float) / 255
    return np.rint(color * a + 255 * (1 - a))


def test_alpha_lies_on_white() -> None:
    alpha = np.random.default_rng(1).integers(0, 256, (12, 9, 1), dtype=np.uint8)
    alpha[0, :2, 0] = 0, 255
    for form, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True})):
        data = encoded(Picture.fromarray(np.concatenate([PIXELS, alpha], axis=-1)), form, **options)
        np.testing.assert_array_equal(shown(data), over_white(PIXELS, alpha))
    assert (shown(data)[0, 0] == 255).all()
    gray = png(np.concatenate([PIXELS[..., :1], alpha], axis=-1), 4)
    np.testing.assert_array_equal(shown(gray), np.repeat(over_white(PIXELS[..., :1], alpha), 3, axis=-1))


def test_a_color_that_is_declared_transparent_lies_on_white() -> None:
    pixels = PIXELS.copy()
    pixels[3, 4] = 1, 2, 3
    keyed = shown(encoded(Picture.fromarray(pixels), "PNG", transparency=(1, 2, 3)))
    pixels[3, 4] = 255
    np.testing.assert_array_equal(keyed, pixels)
    index = Picture.fromarray(PIXELS).quantize(4)
    hidden = np.array(index) == 2
    assert (shown(encoded(index, "PNG", transparency=2))[hidden] == 255).all()


@pytest.mark.parametrize(("color", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_are_scaled_and_not_cut(color: int, channels: int) -> None:
    levels = np.random.default_rng(2).integers(0, 65536, (6, 5, channels), dtype=np.uint16)
    levels[0, 0], levels[0, 1] = 0, 65535
    eight = np.rint(levels / 257)
    plain = over_white(eight[..., :-1], eight[..., -1:]) if channels in (2, 4) else eight
    np.testing.assert_array_equal(shown(png(levels, color)), np.broadcast_to(plain, (6, 5, 3)))


def test_sixteen_bits_of_gray_in_a_pgm() -> None:
    levels = np.array([[0, 65535, 40000], [257, 1000, 128]], np.uint16)
    data = b"P5\n3 2\n65535\n" + levels.astype(">u2").tobytes()
    np.testing.assert_array_equal(shown(data), np.stack([np.rint(levels / 257)] * 3, axis=-1))


def test_cmyk() -> None:
    cmyk = np.zeros((16, 16, 4), np.uint8)
    cmyk[:8], cmyk[8:] = (55, 155, 205, 40), (0, 0, 0, 255)
    data = encoded(Picture.fromarray(cmyk, "CMYK"), "JPEG", quality=100, subsampling=0)
    expected = (255 - cmyk[..., :3].astype(float)) * (255 - cmyk[..., 3:].astype(float)) / 255
    assert np.abs(shown(data) - expected).max() <= 3  # JPEG's own loss


def test_a_turned_photograph_stands_upright() -> None:
    exif = Picture.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees, clockwise
    for form in ("JPEG", "PNG", "WEBP"):
        options = {"lossless": True} if form == "WEBP" else {"quality": 95} if form == "JPEG" else {}
        plain = shown(encoded(Picture.fromarray(PIXELS), form, **options))
        turned = shown(encoded(Picture.fromarray(PIXELS), form, exif=exif, **options))
        np.testing.assert_array_equal(turned, np.rot90(plain, -1))


@pytest.mark.parametrize("size", [(20, 31), (64, 64), (250, 233), (32, 32)])
def test_resizing_is_bilinear_with_antialiasing(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (*size, 3), dtype=np.uint8)
    ours = resize(torch.from_numpy(pixels).permute(2, 0, 1), 32).permute(1, 2, 0).numpy()
    pillow = np.array(Picture.fromarray(pixels).resize((32, 32), Picture.Resampling.BILINEAR))
    assert np.abs(ours.astype(int) - pillow.astype(int)).max() <= 1


@pytest.mark.parametrize("form", ["JPEG", "PNG", "PPM", "BMP", "WEBP"])
@pytest.mark.parametrize("share", [0.0, 0.002, 0.5, 0.98])
def test_what_is_cut_off_is_refused(form: str, share: float) -> None:
    noise = np.random.default_rng(4).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Picture.fromarray(noise), form)
    with pytest.raises(DataFormatError, match=r"^here/x does not hold a picture that can be decoded: .+\.\n") as caught:
        decode(data[: int(share * len(data))], "here/x")
    assert "again" in caught.value.hint
    assert ("it is empty" in caught.value.message) is (share == 0.0)


@pytest.mark.parametrize(
    "data", [b"no picture at all", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"P6\n0 0\n255\n", b"P6\n-1"]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(DataFormatError, match="x does not hold a picture that can be decoded"):
        decode(data, "x")


@pytest.fixture
def threads(request: pytest.FixtureRequest) -> Any:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_threads_change_nothing(threads: Any) -> None:
    for count in (1, 2, 3):
        threads(count)
        got = gather(7, lambda at: [torch.full((3, 2, 2), i, dtype=torch.uint8) for i in at], (3, 2, 2))
        assert got[:, 0, 0, 0].tolist() == list(range(7))
        assert gather(0, lambda at: [], (3, 2, 2)).shape == (0, 3, 2, 2)


def test_the_first_damaged_picture_is_named_whatever_the_threads(threads: Any) -> None:
    def pictures(at: range) -> list[torch.Tensor]:
        for i in (2, 5):
            if i in at:
                raise DataFormatError(f"picture {i}")
        return [torch.zeros(3, 2, 2, dtype=torch.uint8) for _ in at]

    for count in (1, 2, 3):
        threads(count)
        with pytest.raises(DataFormatError, match="picture 2"):
            gather(8, pictures, (3, 2, 2))


def test_many_threads_of_many_pictures_keep_their_places(threads: Any) -> None:
    threads(2)
    got = gather(301, lambda at: [torch.full((3, 1, 1), i % 256, dtype=torch.uint8) for i in at], (3, 1, 1))
    assert got[:, 0, 0, 0].tolist() == [i % 256 for i in range(301)]


@pytest.mark.parametrize("forms", [["JPEG"] * 4, ["JPEG", "PNG", "JPEG", "BMP"]])
def test_together_they_are_what_each_is_alone(forms: list[str]) -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (4, 9, 7, 3), dtype=np.uint8)
    turned = [Picture.fromarray(p).convert(mode) for p, mode in zip(pixels, ["RGB", "L", "RGB", "RGB"], strict=True)]
    contents = [encoded(picture, form) for picture, form in zip(turned, forms, strict=True)]
    together = decode_all(contents, str)
    for content, picture in zip(contents, together, strict=True):
        assert torch.equal(picture.expand(3, -1, -1), decode(content, "x"))


def test_of_many_the_damaged_one_is_named() -> None:
    whole = encoded(Picture.new("RGB", (8, 8)), "JPEG")
    for damaged in (b"", whole[:40], b"\xff\xd8\xffno"):
        with pytest.raises(DataFormatError, match="row 2 does not hold a picture"):
            decode_all([whole, whole, damaged, whole], lambda i: f"row {i}")


def test_a_turned_photograph_stands_upright_among_others() -> None:
    picture = Picture.fromarray(np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3))
    exif = Picture.Exif()
    exif[0x0112] = 6
    turned = encoded(picture, "JPEG", exif=exif.tobytes())
    (got, _) = decode_all([turned, turned], str)
    assert got.shape == (3, 4, 6)
    assert torch.equal(got, decode(turned, "x"))
