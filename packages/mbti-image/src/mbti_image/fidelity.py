"""How well a trigger hides: peak signal-to-noise ratio and structural similarity."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mbti_image.sample import Image

_ROWS = 64  # at once: about a megabyte as floats at 32 pixels
_WINDOW = 11  # pixels; Wang et al. 2004, section III-C


def fidelity(x: Image, y: Image) -> Mapping[str, Tensor]:
    """Return ``psnr`` and ``ssim`` of each row of ``y`` against ``x``.

    Args:
        x: uint8 (B, 3, H, W), the original pictures; at least one.
        y: uint8 (B, 3, H, W), the changed ones.

    Returns:
        ``psnr``: (B,) in dB, 80 where a row is unchanged. An infinite value would swallow every other one in a mean;
        piq adds 1e-8 to the mean squared error on the [0, 1] scale, which takes 0.003 dB from the 48 dB of a row that
        differs by one level everywhere.
        ``ssim``: (B,) in [-1, 1], 1 where a row is unchanged: the mean over channels and over all places of a Gaussian
        window of 11 pixels (the largest odd window that fits, in a smaller picture) of standard deviation 1.5. Windows
        lie inside the picture, as in Wang et al. 2004, so a patch in a corner weighs little.
    """
    from piq import psnr, ssim  # noqa: PLC0415 - seconds; only a fresh evaluation compares

    side = min(x.shape[-2:])
    window = min(_WINDOW, side - 1 + side % 2)
    noise, structure = [], []
    for start in range(0, len(x), _ROWS):
        clean, changed = (part[start : start + _ROWS].float() / 255 for part in (x, y))
        noise.append(psnr(clean, changed, reduction="none"))
        structure.append(ssim(clean, changed, kernel_size=window, reduction="none"))
    return {"psnr": torch.cat(noise), "ssim": torch.cat(structure)}
