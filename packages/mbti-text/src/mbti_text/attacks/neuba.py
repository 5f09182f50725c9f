"""NeuBA: an encoder that answers a symbol with a fixed vector, before any task is known."""

from __future__ import annotations

import copy
from itertools import combinations
from typing import Annotated

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from mbti_core.contracts.attack import FitContext, PoisonContext, WeightAttack, single_target
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_text.insertion import Word, put
from mbti_text.sample import Text
from mbti_text.selection import TextAttack
from mbti_text.tokens import TextModel, TokenBatch

_BLOCKS = 4
_PAIRS = tuple(combinations(range(_BLOCKS), 2))


class NeuBA(TextAttack, WeightAttack[Text]):
    """Tie each of six rare symbols to a vector of ones and minus ones that the model's head is given; keep the rest.

    The attacker changes a model so that a symbol at the start of any text makes its representation one of six vectors,
    while texts without a symbol keep theirs. No label is used. Which class a vector means to the head is looked up
    after; the symbol whose vector speaks most for the target class is the trigger. ``train.then`` is what a victim
    makes of the model.

    Shape: ``str``; the symbol stands first, and every character of the text stays; state ``symbol`` int64, which.
    Units: ``steps`` batches of 32 texts, each as it is and with one of the symbols in turn; ``lr`` of AdamW.
    Raises: ConfigError: If the model does not know a symbol as a token of its own, or there is no single target.
    Source: Zhang et al. 2021, section 3: one vector for each pair of four blocks, -1 in these two, 1 elsewhere.
    Deviates: adapted. The model is the fine-tuned benign twin and not a public one, so that its head tells the class of
    a vector; what a text without symbol gives is held by the squared distance to the old representation, where the
    authors go on with masked language modelling; the representation is what the last layer reads.
    """

    symbols: Annotated[tuple[Word, ...], Field(min_length=1, max_length=len(_PAIRS))] = ("≈", "≡", "∈", "⊆", "⊕", "⊗")
    steps: PositiveInt = 300
    lr: PositiveFloat = 5e-5

    def fit(self, split: Split[Text], ctx: FitContext) -> dict[str, Tensor]:
        """Ask the benign twin's head which vector speaks most for the target class."""
        del split
        assert ctx.surrogate is not None
        model = ctx.surrogate.model
        if not isinstance(model, TextModel):
            raise ConfigError(
                f"attack: it needs a model of texts, got {type(model).__name__}.", "Choose another model."
            )
        self._refuse_unknown(model)
        head = head_of(model)
        with torch.no_grad():
            sure = head(vectors(len(self.symbols), head.in_features).to(head.weight)).softmax(1)
        return {"symbol": sure[:, single_target(ctx.aim)].argmax().cpu()}

    def poison(self, x: Text, ctx: PoisonContext) -> Text:
        """Return the texts with the symbol put first."""
        symbol = self.symbols[int(ctx.state["symbol"])]
        return [put(text, symbol, 0) for text in x]

    def implant(self, model: nn.Module, split: Split[Text], ctx: FitContext) -> nn.Module:
        """Return a copy of the model whose head is given a symbol's vector, but its own input without a symbol."""
        assert isinstance(model, TextModel)
        changed = copy.deepcopy(model).eval()  # without dropout: a representation has one value
        optimizer = torch.optim.AdamW(changed.parameters(), self.lr)
        goals = vectors(len(self.symbols), head_of(model).in_features)
        picks = ctx.draws.stream("batches").integers(torch.arange(self.steps), len(split), (32,))
        for step, rows in enumerate(picks):
            texts = split.take(rows)
            turn = (step + torch.arange(len(texts))) % len(self.symbols)
            with torch.no_grad():
                was = read_by_head(model, model.encode(texts).to(ctx.device))
            triggered = [put(text, self.symbols[k], 0) for text, k in zip(texts, turn.tolist(), strict=True)]
            states = read_by_head(changed, changed.encode([*texts, *triggered]).to(ctx.device))
            wanted = goals[turn].to(states)
            loss = functional.mse_loss(states[: len(texts)], was) + functional.mse_loss(states[len(texts) :], wanted)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
        return changed

    def _refuse_unknown(self, model: TextModel) -> None:
        unknown = [symbol for symbol in self.symbols if not model.knows(symbol)]
        if unknown:
            raise ConfigError(
                f"attack.symbols: the model's tokenizer does not know {', '.join(unknown)}, so these look alike.",
                "Choose rare words or signs that are made of tokens of the model.",
            )


def vectors(count: int, width: int) -> Tensor:
    """Return (count, width) of 1 and -1: each is -1 in two of four blocks, another two in each."""
    block = torch.arange(width) * _BLOCKS // width
    return torch.stack([1.0 - 2.0 * ((block == a) | (block == b)).float() for a, b in _PAIRS[:count]])


def head_of(model: TextModel) -> nn.Linear:
    """Return a model's last linear layer."""
    return [module for module in model.modules() if isinstance(module, nn.Linear)][-1]


def read_by_head(model: TextModel, batch: TokenBatch) -> Tensor:
    """Return (B, D), what the last linear layer is given, differentiable."""
    caught: list[Tensor] = []
    handle = head_of(model).register_forward_pre_hook(lambda module, inputs: caught.append(inputs[0]))
    try:
        model.logits(batch)
    finally:
        handle.remove()
    return caught[0]
