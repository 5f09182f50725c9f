from __future__ import annotations

from pathlib import Path

from mbti_core.testing import conformance

_SHORT = "learned from more pictures and longer training than the checks have: "
_XFAIL = {
    "image/bpp-asr_on_toy": _SHORT + "digits have hardly more levels than the trigger leaves",
    "image/sbat-asr_on_toy": _SHORT + "a pattern of 8 levels has to be learned beside the victim",
    "image/adap_patch-asr_on_toy": _SHORT
    + "each patch is faint, on a quarter of the rows, and on twice as many others",
    "image/ftrojan-asr_on_toy": _SHORT + "two levels per pixel",
    "image/lc-asr_on_toy": _SHORT + "faint changes make no black and white digit hard to know",
    "image/narcissus-asr_on_toy": _SHORT + "true labels ask for no trigger, and the pattern is faint beside strokes",
    "image/sig-asr_on_toy": _SHORT + "true labels ask for no trigger",
}

_QUICK = {
    "image/iab": {
        "density": 0.1,
        "cross_ratio": 0.5,
    },  # large patterns and few foreign ones are learned sooner
    "image/lc": {"hardening": 50},
    "image/ssba": {"bits": 6, "width": 8, "images": 600, "steps": 250, "ramp": 80, "psnr": 24.0, "lr": 4e-3},
}

test_conformance = conformance("image", xfail=_XFAIL, golden=Path(__file__).with_name("golden.json"), settings=_QUICK)
