"""FT: fine-tuning on clean data."""

from __future__ import annotations

from typing import ClassVar

from pydantic import PositiveFloat, PositiveInt

from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, Need, Yield
from mbti_core.training.finetune import finetune
from mbti_defenses.budget import to_fit
from mbti_defenses.further import recipe_of


class FT(Defense):
    """Train the whole model further on the clean budget.

    The defender owns the model's weights and a few clean labelled samples, and knows nothing of the trigger. All layers
    are trained by cross-entropy with augmentation, normalization layers in train mode.

    Attributes:
        epochs: Passes over the budget; None takes the recipe of the model's family.
        lr: Base learning rate; None takes the recipe's.

    Shape:
        Any batch (k, ...) that the model takes, labels (k,).

    Raises:
        ConfigError: If the clean budget is empty.

    Source:
        Liu, Dolan-Gavitt, Garg, "Fine-Pruning", RAID 2018: the fine-tuning baseline.

    Deviates:
        Optimizer, learning rate, schedule and batch size are those of the model's family (``mbti_recipe``), because one
        setting for all ruins pretrained transformers. A share of the training size (stage key ``budget``) instead of
        all of it, because fine-tuning on the full clean training set is retraining.

    Example:
        >>> FT(epochs=2).lr is None
        True
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"model", "clean"})
    yields: ClassVar[frozenset[Yield]] = frozenset({"model"})

    epochs: PositiveInt | None = None
    lr: PositiveFloat | None = None

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        """Return the fine-tuned copy."""
        subject, clean = view.subject, view.clean
        assert subject is not None  # declared in needs, as the next
        assert clean is not None
        data = to_fit(clean, "FT", "to train on")
        recipe = recipe_of(ctx, self.epochs, self.lr)
        model = finetune(subject, data, recipe, epochs=recipe.epochs, draws=ctx.draws.stream("finetune"))
        notes = {
            "rows": len(data.index),
            "epochs": recipe.epochs,
            "lr": recipe.lr,
            "forwards": recipe.epochs * len(data.index),
        }
        return DefenseOutcome(model=model, notes=notes)
