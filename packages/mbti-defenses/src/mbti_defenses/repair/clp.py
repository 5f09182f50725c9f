"""CLP: pruning of channels that amplify more than their layer's others."""

from __future__ import annotations

import copy
from typing import Annotated, ClassVar

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor, nn

from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, Need, Yield
from mbti_core.contracts.model import PrunableLayer
from mbti_core.errors import NotSupportedError
from mbti_core.training.pruning import shares, silence

Share = Annotated[float, Field(gt=0, le=1)]


class CLP(Defense):
    """Remove the units whose Lipschitz constant stands out in their layer; no data are needed.

    The defender owns the model's weights. A backdoor needs units that answer strongly to a small change of the input,
    and the largest factor by which a unit can amplify a change is read off its weights.

    Attributes:
        u: Standard deviations above the layer's mean from which a unit is removed, above 0. With n units none lies
            further above than (n - 1) / sqrt(n), so that u = 3 removes nothing in layers of up to 10.
        max_share: Largest share of a layer without a BatchNorm of its own that is removed, one unit at least.

    Shape:
        Any model with prunable layers.

    Raises:
        NotSupportedError: If the model has no layer whose units can be removed.

    Source:
        Zheng et al., "Data-free Backdoor Removal based on Channel Lipschitzness", ECCV 2022, equations 8 and 9: the
        largest singular value of a channel's weights as a matrix (inputs, kernel), times the BatchNorm's
        abs(gamma) / sigma; threshold mean + u * standard deviation in the layer.

    Deviates:
        The BatchNorm's epsilon counts, as it does in the model. Layers without a BatchNorm of their own (neurons,
        attention heads, units of recurrent layers) are adapted: there the largest singular value of a unit's own
        weights counts alone, and ``max_share`` bounds what is removed, since such scores are heavy-tailed.

    Example:
        >>> CLP().u
        3.0
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"model"})
    yields: ClassVar[frozenset[Yield]] = frozenset({"model"})

    u: PositiveFloat = 3.0
    max_share: Share = 0.01

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        """Return a copy without the units that stand out."""
        assert view.subject is not None  # declared in needs
        model = copy.deepcopy(view.subject.model).eval()
        layers = ctx.adapters.prunable_layers(model, ctx.info)
        if not layers:
            raise NotSupportedError(
                f"CLP needs layers whose units can be removed, and {ctx.info.arch} has none.", "Choose another model."
            )
        # All before any is removed: a parameter may have a share in units of two layers.
        found = [(layer, self.outliers(amplification(model, layer), layer)) for layer in layers]
        notes: dict[str, float] = {"forwards": 0, "units": sum(layer.units for layer in layers)}
        for layer, units in found:
            silence(model, layer, units)
            if len(units):
                notes[f"removed/{layer.module}"] = notes.get(f"removed/{layer.module}", 0) + len(units)
        notes["removed"] = sum(len(units) for _, units in found)
        return DefenseOutcome(model=model, notes=notes)

    def outliers(self, values: Tensor, layer: PrunableLayer) -> Tensor:
        """Return (k,) int64 units of a layer to remove, by their amplification (units,)."""
        if len(values) < 2:
            return torch.zeros(0, dtype=torch.int64)
        units = torch.nonzero(values > values.mean() + self.u * values.std()).flatten()
        if layer.norm is None:
            most = max(1, int(self.max_share * layer.units))
            units = units[values[units].argsort(descending=True, stable=True)[:most]]
        return units.sort().values


def amplification(model: nn.Module, layer: PrunableLayer) -> Tensor:
    """Return (units,) float64: by how much each unit can amplify a change of its input, bounded from above."""
    square = torch.zeros(layer.units, dtype=torch.float64)
    with torch.no_grad():
        for part in shares(model, layer):
            if part.dim() > 2:  # a bias, or a norm's parameters, multiply no input
                square += largest_singular_value(part.double().cpu()).square()
    norm = model.get_submodule(layer.norm) if layer.norm is not None else None
    if norm is None:
        return square.sqrt()
    deviation = (norm.running_var.detach().double().cpu() + norm.eps).sqrt()  # type: ignore[operator]  # a BatchNorm's buffers
    scale = norm.weight.detach().double().cpu().abs() if isinstance(norm.weight, Tensor) else 1.0
    return square.sqrt() * scale / deviation


def largest_singular_value(part: Tensor) -> Tensor:
    """Return (units,): of each unit's weights (units, block, inputs, ...) as a matrix (inputs, kernel).

    By its Gram matrix of the smaller side: exact and, of a kernel, 9 x 9.
    """
    rows = part.flatten(1, 2).flatten(2) if part.dim() > 3 else part  # (units, a, b)
    gram = rows @ rows.mT if rows.shape[1] <= rows.shape[2] else rows.mT @ rows
    values: Tensor = torch.linalg.eigvalsh(gram)[:, -1]
    return values.clamp_min(0).sqrt()
