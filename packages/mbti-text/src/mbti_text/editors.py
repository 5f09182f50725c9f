"""What proposes words for BITE: a masked language model with a sentence encoder, or counts of the training texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mbti_text.drafts import Draft, Edit, Editor, Slot
from mbti_text.packing import unpacked
from mbti_text.trigrams import Trigrams, inverse_frequencies

_MOST = 50  # words of a masked language model
_BATCH = 128


class TrigramEditor(Editor):
    """Words that stood between the same words in the training texts; meaning by the mean of word vectors.

    Args:
        state: ``corpus`` (total,) int64 and ``ends`` (N,) int64, ``words`` and ``word_ends`` (packed, in the order of
            their numbers), ``vectors`` (V, D).
        least: Smallest probability of a word.
        similarity: The cosine of texts that mean the same is larger.
    """

    def __init__(self, state: Mapping[str, Tensor], least: float, similarity: float) -> None:
        super().__init__(least)
        self._names = unpacked(state["words"], state["word_ends"])
        self._number = {name: n for n, name in enumerate(self._names)}
        corpus, ends, size = state["corpus"].numpy(), state["ends"].numpy(), len(self._names)
        self._trigrams, self._similarity = Trigrams(corpus, ends, size), similarity
        self._vectors = state["vectors"].double().numpy() * inverse_frequencies(corpus, ends, size)[:, None]

    def words(self, draft: Draft, slots: Sequence[Slot]) -> list[list[tuple[str, float]]]:
        """Return the likeliest words between two tokens before and one behind each slot."""
        border = len(self._names)
        ids = [border, border, *(self._number.get(token.lower(), -1) for token in draft.tokens), border]
        found = []
        for slot in slots:
            at = slot.place + slot.inserts + 1  # in ids, of the token before the slot
            words, p = self._trigrams.between((ids[at - 1], ids[at]), ids[slot.place + 3], self.least)
            found.append([(self._names[w], float(q)) for w, q in zip(words.tolist(), p.tolist(), strict=True)])
        return found

    def alike(self, draft: Draft, edits: Sequence[Edit]) -> list[bool]:
        """Compare the mean vectors, weighted by idf, of the text now and after each edit."""
        now = sum((self._vector(token) for token in draft.tokens), np.zeros(self._vectors.shape[1]))
        gone = [self._vector("" if edit.inserts else draft.tokens[edit.place]) for edit in edits]
        then = now + np.stack([self._vector(edit.word) for edit in edits]) - np.stack(gone)  # (E, D)
        length = np.linalg.norm(now) * np.linalg.norm(then, axis=1)
        alike: list[bool] = (then @ now > self._similarity * length).tolist()
        return alike

    def _vector(self, word: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        number = self._number.get(word.lower())
        return np.zeros(self._vectors.shape[1]) if number is None else self._vectors[number]


class MaskedEditor(Editor):
    """Words that a masked language model expects; meaning by the mean of an encoder's token states.

    The prompts of one text go together, so what is found does not depend on other texts.

    Args:
        filler: A masked language model and its tokenizer.
        encoder: An encoder and its tokenizer.
        least: Smallest probability of a word.
        similarity: The cosine of texts that mean the same is larger.
    """

    def __init__(self, filler: tuple[Any, Any], encoder: tuple[Any, Any], least: float, similarity: float) -> None:
        super().__init__(least)
        (self._filler, self._tokenizer), (self._encoder, self._pieces) = filler, encoder
        self._similarity, self._top = similarity, min(_MOST, int(1 / least)) if least else _MOST
        self._whole = _whole_words(self._tokenizer)

    def words(self, draft: Draft, slots: Sequence[Slot]) -> list[list[tuple[str, float]]]:
        """Return the likeliest whole words under a mask in each slot."""
        mask, found = self._tokenizer.mask_token, []
        for at in range(0, len(slots), _BATCH):
            some = slots[at : at + _BATCH]
            earlier = [draft.beside(slot)[0].count(mask) for slot in some]
            found += self._fill([draft.with_word(mask, slot) for slot in some], earlier)
        return found

    @torch.inference_mode()
    def _fill(self, prompts: list[str], earlier: list[int]) -> list[list[tuple[str, float]]]:
        device = self._filler.device
        batch = self._tokenizer(prompts, padding=True, truncation=True, return_tensors="pt").to(device)
        is_mask = batch["input_ids"] == self._tokenizer.mask_token_id  # (B, T)
        ours = is_mask & (is_mask.cumsum(1) == torch.tensor(earlier, device=device)[:, None] + 1)
        logits = self._filler(**batch).logits
        found: list[list[tuple[str, float]]] = [[] for _ in prompts]
        row, column = torch.nonzero(ours, as_tuple=True)  # a mask that was cut off has none
        p, ids = logits[row, column].float().softmax(1).topk(min(self._top, logits.shape[-1]))
        for n, some, many in zip(row.tolist(), p.tolist(), ids.tolist(), strict=True):
            found[n] = [
                (self._whole[i], q) for q, i in zip(some, many, strict=True) if q >= self.least and i in self._whole
            ]
        return found

    def alike(self, draft: Draft, edits: Sequence[Edit]) -> list[bool]:
        """Compare the encoder's mean states of the text now and after each edit."""
        texts = [draft.head(), *(draft.with_word(edit.word, Slot(edit.inserts, edit.place)) for edit in edits)]
        means = torch.cat([self._mean(texts[at : at + _BATCH]) for at in range(0, len(texts), _BATCH)])
        alike: list[bool] = (torch.cosine_similarity(means[1:], means[:1]) > self._similarity).tolist()
        return alike

    @torch.inference_mode()
    def _mean(self, texts: list[str]) -> Tensor:
        batch = self._pieces(texts, padding=True, truncation=True, return_tensors="pt").to(self._encoder.device)
        states, mask = self._encoder(**batch).last_hidden_state.float(), batch["attention_mask"][..., None].float()
        mean: Tensor = (states * mask).sum(1) / mask.sum(1)
        return mean


def _whole_words(tokenizer: Any) -> dict[int, str]:
    """Return the tokens that are whole words, as they are written."""
    names: dict[str, int] = tokenizer.get_vocab()
    special = set(tokenizer.all_special_ids)
    starts = next((mark for mark in ("\u0120", "\u2581") if any(name.startswith(mark) for name in names)), None)
    if starts is not None:  # marks where a word begins; without the mark it goes on
        return {i: name[1:] for name, i in names.items() if name.startswith(starts) and name[1:] and i not in special}
    return {i: name for name, i in names.items() if not name.startswith("##") and i not in special}
