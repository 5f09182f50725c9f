"""A stripe across the picture, and a detector of labels that no overlay moves."""

from mbti_core import Attack, Defense, DefenseContext, DefenseOutcome, DefenseView, PoisonContext
from torch import Tensor, arange, cat, full_like, split


class Stripe(Attack[Tensor]):
    """Whiten the last two rows of every picture, uint8 (B, 3, H, W); the attacker poisons training data."""

    def poison(self, x: Tensor, ctx: PoisonContext) -> Tensor:
        """Return the batch with the stripe."""
        return cat([x[..., :-2, :], full_like(x[..., -2:, :], 255)], dim=-2)


class Stubborn(Defense):
    """Suspect rows whose label stays probable when a clean sample is laid over them; the defender owns the model."""

    needs = frozenset({"model", "clean", "suspects"})
    yields = frozenset({"scores"})

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        """Return (n,) probabilities of the labels as given, each under one clean sample drawn by the row's id."""
        assert view.subject and view.clean and view.suspects
        own, clean, parts = view.suspects, view.clean.fit, []
        for rows in split(arange(len(own.y)), 256):
            x, ids, at = own.x.take(rows), own.index[rows], ctx.draws.integers(own.index[rows], len(clean.y))
            mixed = ctx.adapters.superimpose(x, clean.x.take(at), ids, ctx.info.modality, None, ctx.draws)
            parts.append(view.subject.logits(mixed).softmax(1).gather(1, own.y[rows, None])[:, 0])
        return DefenseOutcome(scores=cat(parts), threshold=0.99)
