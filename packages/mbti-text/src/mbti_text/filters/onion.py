"""ONION: texts without the words that a language model stumbles over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, LabelledSet, Need, Yield
from mbti_core.data.fileref import FileRef
from mbti_core.errors import ConfigError
from mbti_text.cut import words
from mbti_text.perplexity import Counted, Perplexity, Pretrained
from mbti_text.saved_model import load_saved


class Onion(Defense):
    """Leave out each word without which a text's perplexity falls by more than it does for most words of clean texts.

    Attributes:
        path: Folder of a causal language model as the transformers library saves it; comes before ``hub``.
        hub: Its name on the public hub; without both, characters are counted on the clean budget (adapted).
        share: Of the words of clean texts that may go, which sets the bar.

    Shape:
        (B,) texts; at least one word of each stays.

    Raises:
        ConfigError: If the clean budget is empty.
        DataUnavailableError: If the model does not exist.

    Source:
        Qi et al., "ONION", EMNLP 2021, section 3: f_i = p_0 - p_i, words above a bar go.

    Deviates:
        The bar is a quantile over clean words, on samples apart from those that are counted; the authors tune it on
        validation accuracy.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"clean"})
    yields: ClassVar[frozenset[Yield]] = frozenset({"filter"})

    path: FileRef | None = None
    hub: Annotated[str, Field(pattern=r"^([\w.-]+(/[\w.-]+)?)?$")] = ""
    share: Annotated[float, Field(gt=0, lt=1)] = 0.02

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        """Return the filter, its bar set on clean texts."""
        assert view.clean is not None  # declared in needs
        counted, held_out = _texts(view.clean.fit, "count"), _texts(view.clean.calibrate, "set the bar on")
        model: Perplexity = Counted(counted)
        if source := str(self.path or self.hub):
            saved = load_saved(source, "AutoModelForCausalLM", "onion.path", local=self.path is not None)
            model = Pretrained(*saved, ctx.device)
        found = torch.cat([suspicion(text, model) for text in held_out])
        bar = float(found.quantile(1 - self.share))

        def purified(x: Sequence[str]) -> list[str]:
            return [without(text, suspicion(text, model) > bar) for text in x]

        return DefenseOutcome(filter=purified, notes={"bar": bar, "clean_words": len(found)})


def _texts(data: LabelledSet, purpose: str) -> list[str]:
    if not len(data.index):
        raise ConfigError(f"ONION needs at least 1 clean text to {purpose}, got 0.", "Raise the defense's 'budget'.")
    return list(data.x.take(torch.arange(len(data.index))))


def suspicion(text: str, model: Perplexity) -> Tensor:
    """Return (words,) float64: how far the perplexity falls without each word; one for a text without words."""
    cut = words(text)
    pairs = list(cut.pairs())
    rest = [cut.of_pairs(pairs[:i] + pairs[i + 1 :]) for i in range(len(pairs))]
    found = model([text, *rest])
    return found[0] - found[1:] if pairs else torch.zeros(1, dtype=torch.float64)


def without(text: str, go: Tensor) -> str:
    """Return a text without the words (n,) that go; the first one stays where all of them would."""
    cut = words(text)
    kept = [pair for pair, gone in zip(cut.pairs(), go.tolist(), strict=False) if not gone]
    return cut.of_pairs(kept or list(cut.pairs())[:1])
