"""Ask what a model makes of samples before its head, once for every defense that looks at it."""

from __future__ import annotations

import torch
from torch import Tensor

from mbti_core.contracts.defense import LabelledSet
from mbti_core.training.subject import Subject


def represent(subject: Subject, data: LabelledSet) -> Tensor:
    """Return (n, D) float32 penultimate features on the CPU, row by row.

    Rows are asked by ascending id: which ones share a batch moves the last bits, and their order must not.

    Raises:
        NotSupportedError: If no plugin says where the features are.
    """
    order = torch.argsort(data.index.cpu())
    return subject.features(data.x, rows=order)[torch.argsort(order)]
