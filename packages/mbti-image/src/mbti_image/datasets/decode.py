"""Encoded pictures to pixels: every kind of file becomes 8-bit RGB of the size that its data set declares."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import torch
from PIL import Image as Picture
from PIL import ImageOps
from torch import Tensor
from torch.nn import functional

from mbti_core.errors import DataFormatError
from mbti_image.sample import Image

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_TOGETHER = 64  # pictures that one thread decodes before it copies them: they stay in the processor's cache
_BROKEN = (RuntimeError, ValueError, OSError, SyntaxError, struct.error, Picture.DecompressionBombError)


def decode(encoded: bytes, where: str) -> Tensor:
    """Return one picture as a person sees it, uint8 (3, H, W), RGB.

    JPEG (gray and CMYK too) and PNG go through torchvision, what it lacks (palettes, PPM, BMP, WebP) through Pillow.
    Gray gets three equal channels; 16 bits v become round(v / 257); transparency lies on white, as in a browser; a
    turned photograph stands upright where its EXIF says how.

    Args:
        encoded: Content of the file.
        where: What a message calls it.

    Raises:
        DataFormatError: If it cannot be decoded; names it.
    """
    try:
        if not encoded:
            raise ValueError("it is empty")
        return _rgb(_by_torchvision(encoded) if _for_torchvision(encoded) else _by_pillow(encoded))
    except _BROKEN as error:
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise DataFormatError(
            f"{where} does not hold a picture that can be decoded: {reason}.", "Copy or download the file again."
        ) from error


def decode_all(encoded: Sequence[bytes], where: Callable[[int], str]) -> list[Tensor]:
    """Return pictures as ``decode`` does; where all are JPEG, in a third of the time.

    Args:
        encoded: Content of the files.
        where: What a message calls the one at a place.

    Raises:
        DataFormatError: If one cannot be decoded; names the first.
    """
    if all(content.startswith(_JPEG) for content in encoded):
        with suppress(RuntimeError):  # one of them is damaged: below it gets its name
            return _jpegs(encoded)
    return [decode(content, where(i)) for i, content in enumerate(encoded)]


def resize(picture: Tensor, side: int) -> Tensor:
    """Return (3, side, side) from uint8 (3, H, W): bilinear with antialiasing, stretched where it is no square.

    Pixels are within one level of Pillow's and torchvision's; the last level may differ between processors.
    """
    if picture.shape[1:] == (side, side):
        return picture
    return functional.interpolate(picture[None], (side, side), mode="bilinear", antialias=True)[0]


def gather(count: int, pictures: Callable[[range], Sequence[Tensor]], shape: tuple[int, int, int]) -> Image:
    """Return uint8 (count, 3, H, W): what ``pictures`` gives for a few places at a time, in as many threads as torch's.

    Raises:
        MbtiError: What ``pictures`` raises, for the lowest places where it does.
    """
    gathered = torch.empty(count, *shape, dtype=torch.uint8)
    workers = max(1, min(torch.get_num_threads(), count))

    def fill(number: int) -> None:
        first, end = number * count // workers, (number + 1) * count // workers
        for start in range(first, end, _TOGETHER):
            places = range(start, min(start + _TOGETHER, end))
            torch.stack(list(pictures(places)), out=gathered[start : places.stop])

    if workers == 1:
        fill(0)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(fill, range(workers)))
    return gathered


def _for_torchvision(encoded: bytes) -> bool:
    """Tell whether torchvision decodes this rightly: of PNG neither palettes, nor less than 8 bits, nor color keys."""
    if encoded.startswith(_JPEG):
        return True
    if not encoded.startswith(_PNG) or len(encoded) < 26:
        return False
    depth, color = encoded[24], encoded[25]  # of the header, which comes first
    return depth >= 8 and color != 3 and b"tRNS" not in encoded[: encoded.find(b"IDAT")]


def _jpegs(encoded: Sequence[bytes]) -> list[Tensor]:
    from torchvision.io import ImageReadMode, decode_jpeg  # noqa: PLC0415 - seconds; prepared data needs none

    joined = torch.frombuffer(bytearray(b"".join(encoded)), dtype=torch.uint8)
    parts = list(torch.split(joined, [len(content) for content in encoded]))
    pictures: list[Tensor] = decode_jpeg(parts, ImageReadMode.RGB, apply_exif_orientation=True)
    return pictures


def _by_torchvision(encoded: bytes) -> Tensor:
    from torchvision.io import ImageReadMode, decode_image  # noqa: PLC0415 - seconds; prepared data needs none

    mode = ImageReadMode.RGB if encoded.startswith(_JPEG) else ImageReadMode.UNCHANGED
    data = torch.frombuffer(bytearray(encoded), dtype=torch.uint8)
    picture: Tensor = decode_image(data, mode, apply_exif_orientation=True)
    return picture


def _by_pillow(encoded: bytes) -> Tensor:
    with Picture.open(io.BytesIO(encoded)) as opened:
        opened.load()
        ImageOps.exif_transpose(opened, in_place=True)
        if opened.mode == "F":
            raise ValueError("its pixels are floating-point numbers")
        if opened.mode.startswith("I"):  # 16 bits of gray
            levels = np.array(opened).clip(0, 65535).astype(np.uint16)
        else:
            levels = np.array(opened.convert("RGBA" if opened.has_transparency_data else "RGB"))
    return torch.from_numpy(levels.reshape(*levels.shape[:2], -1)).permute(2, 0, 1)


def _rgb(picture: Tensor) -> Tensor:
    """Return uint8 (3, H, W) from gray, gray and alpha, RGB or RGBA of 8 or 16 bits, (1 to 4, H, W)."""
    if picture.dtype == torch.uint16:
        picture = ((picture.int() + 128) // 257).to(torch.uint8)
    if len(picture) in (2, 4):
        color, alpha = picture[:-1].int(), picture[-1:].int()
        picture = ((color * alpha + 255 * (255 - alpha) + 127) // 255).to(torch.uint8)
    return picture.expand(3, -1, -1)
