"""DeepSweep: fine-tuning on pictures that are changed much, and inference on pictures that are changed a little."""

from __future__ import annotations

import copy
import math
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field, PositiveInt
from torch import Tensor
from torch.nn import functional

from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, Need, Yield
from mbti_core.data.rng import Draws
from mbti_core.errors import ConfigError
from mbti_core.training.finetune import config_of
from mbti_core.training.loop import Fit, fit_model
from mbti_core.training.step import StepContext, TrainBatch, plain_step
from mbti_image.sample import Image

_HEAVY = 0.5  # of the rows
_BEND = 0.05  # of a lens, at most: what the authors' library takes unless told
_LIGHTER, _GAIN, _DARKER = 0.6, 1.53, 2.6  # an exponent, a factor, an exponent
_COARSE, _SMALL = 0.5, 0.8  # of each side
_MEDIAN = 112  # pixels of a side for each pixel from the middle of a median's window to its edge: 5 x 5 of 224


class DeepSweep(Defense):
    """Fine-tune on clean pictures changed by a heavy policy, and change each picture by a lighter one before the model.

    The defender owns the model and a few clean labelled samples. The heavy policy bends a picture as a lens does, makes
    it lighter and darker, coarser, smoothes it by medians, and moves it; it is drawn anew in each epoch. The light one
    smoothes by medians and moves. A trigger keeps neither its place nor its pixels, and the model learns to do without
    them.

    Attributes:
        limit: Largest shift as a share of each side, and largest change of scale, both ways.
        degrees: Largest rotation, both ways.
        epochs: Of fine-tuning; None takes the recipe of the model's family.

    Shape:
        uint8 (B, 3, H, W) in [0, 255].

    Raises:
        ConfigError: If the clean budget is empty.

    Source:
        Qiu, Zeng et al., "DeepSweep", AsiaCCS 2021; operations and strengths from the authors' code.

    Deviates:
        Adapted to small pictures: medians over 3 x 3 pixels, not 5 x 5 of 224; half the pixels of a side in place of a
        quarter; no second random padding, which the shift holds already. Half of the rows are fine-tuned by the light
        policy, so that a BatchNorm knows such pictures too; the authors' model has none. Optimizer, learning rate and
        epochs are those of the model's family. Values are rounded once, at the end.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"model", "clean"})
    yields: ClassVar[frozenset[Yield]] = frozenset({"model", "filter"})

    limit: Annotated[float, Field(ge=0, lt=0.5)] = 0.16
    degrees: Annotated[float, Field(ge=0, le=45)] = 4.0
    epochs: PositiveInt | None = None

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        """Return the fine-tuned copy and the light policy as its filter, with draws by place in the batch."""
        subject, clean = view.subject, view.clean
        assert subject is not None  # declared in needs, as the next
        assert clean is not None
        data, draws = clean.fit, ctx.draws.stream("sweep")
        if not len(data.index):
            message = "DeepSweep needs at least 1 clean sample to train on, got 0."
            raise ConfigError(message, "Raise the defense's 'budget'.")

        def step(batch: TrainBatch[Image], told: StepContext[Any]) -> Tensor:
            x = self.mixed(batch.x, batch.index, draws.stream("epoch", batch.epoch))
            return plain_step(TrainBatch(x, batch.y, batch.index, batch.epoch), told)

        recipe = ctx.adapters.recipe(ctx.info)
        epochs, model = self.epochs or recipe.epochs, copy.deepcopy(subject.model)
        config = config_of(recipe, epochs, augment=False)
        fit_model(Fit(subject.with_model(model), data, config, draws.seed, step=step))

        def purified(x: Image) -> Image:
            return self.light(x, torch.arange(len(x), device=x.device), draws.stream("inference"))

        notes = {"rows": len(data.index), "epochs": epochs, "lr": recipe.lr}
        return DefenseOutcome(model=model, filter=purified, notes=notes)

    def mixed(self, x: Image, index: Tensor, draws: Draws) -> Image:
        """Return (B, 3, H, W), each row changed by the heavy or the light policy as its id (B,) says."""
        heavy = draws.stream("heavy").uniform(index) < _HEAVY
        y = self.light(x, index, draws)
        if bool(heavy.any()):  # torch makes no grid for a batch of none
            y[heavy] = self.heavy(x[heavy], index[heavy], draws)
        return y

    def heavy(self, x: Image, index: Tensor, draws: Draws) -> Image:
        """Return the batch bent, lightened, darkened, made coarser, smoothed and moved; ``index`` keys the draws."""
        y = median(bent(x.float() / 255, index, draws).pow(_LIGHTER))
        y = (_GAIN * y).clamp(max=1).pow(_DARKER)
        coarse = functional.interpolate(y, _scaled(y, _COARSE), mode="nearest")
        return self.moved(median(functional.interpolate(coarse, y.shape[-2:], mode="nearest")), index, draws)

    def light(self, x: Image, index: Tensor, draws: Draws) -> Image:
        """Return the batch smoothed and moved; ``index`` keys the draws."""
        return self.moved(median(x.float() / 255), index, draws)

    def moved(self, y: Tensor, index: Tensor, draws: Draws) -> Image:
        """Return uint8 pictures of float ones (B, 3, H, W), smoothed once more while smaller, then moved over black."""
        small = functional.interpolate(y, _scaled(y, _SMALL), mode="bilinear", align_corners=False)
        y = functional.interpolate(median(small), y.shape[-2:], mode="bilinear", align_corners=False)
        down, across, scale, turn = (2 * draws.stream("move").uniform(index, (4,)) - 1).T
        angle, scale = turn * math.radians(self.degrees), 1 + self.limit * scale
        cos, sin, ratio = angle.cos() / scale, angle.sin() / scale, y.shape[-2] / y.shape[-1]
        places = torch.stack(  # where each pixel comes from, sides being 2 long
            [
                torch.stack([cos, -sin * ratio, 2 * self.limit * across], 1),
                torch.stack([sin / ratio, cos, 2 * self.limit * down], 1),
            ],
            1,
        )  # (B, 2, 3)
        grid = functional.affine_grid(places.to(y.device, y.dtype), list(y.shape), align_corners=False)
        y = functional.grid_sample(y, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        return (255 * y).round_().clamp_(0, 255).to(torch.uint8)


def median(y: Tensor) -> Tensor:
    """Return (B, C, H, W) of medians over square windows, 3 x 3 of small pictures; the edge repeats beyond itself."""
    around = max(1, round(min(y.shape[-2:]) / _MEDIAN))
    padded = functional.pad(y, [around] * 4, mode="replicate")
    width = 2 * around + 1
    windows = padded.unfold(2, width, 1).unfold(3, width, 1).flatten(4)  # (B, C, H, W, width ** 2)
    return windows.median(-1).values


def bent(y: Tensor, index: Tensor, draws: Draws) -> Tensor:
    """Return (B, C, H, W) seen through a lens: a place at r from the middle comes from ``r (1 + k r^2 + k r^4)``.

    Sides are 1 long; k is drawn for each row, at most 0.05 both ways.
    """
    bend = _BEND * (2 * draws.stream("bend").uniform(index, (1, 1, 1)) - 1).to(y.device, y.dtype)
    still = torch.eye(2, 3, device=y.device).expand(len(y), -1, -1)
    grid = functional.affine_grid(still, list(y.shape), align_corners=False)  # (B, H, W, 2), sides being 2 long
    square = grid.square().sum(-1, keepdim=True) / 4
    grid = grid * (1 + bend * square + bend * square.square())
    return functional.grid_sample(y, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _scaled(y: Tensor, share: float) -> list[int]:
    return [max(1, round(share * side)) for side in y.shape[-2:]]
