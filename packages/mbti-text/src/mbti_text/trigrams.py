"""A language model of counted word triples, and word vectors from the company that words keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mbti_core.data.rng import Draws

Ids = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
_WEIGHTS = (0.6, 0.3, 0.1)  # of triples, pairs and single words
_TOP = 200
_WINDOW = 5
_SPARE, _ROUNDS = 10, 4  # of the randomized range finder (Halko, Martinsson and Tropp 2011)


class Trigrams:
    """Which words fit between two words and a third: p(w | l2 l1) p(r | l1 w) over the 200 likeliest.

    Both factors are interpolated with pairs and single words.

    Args:
        corpus: (total,) word numbers of all texts, end to end.
        ends: (N,) where each text ends.
        size: Number of words; ``size`` itself stands for the border of a text, -1 for an unknown word.
    """

    def __init__(self, corpus: Ids, ends: Ids, size: int) -> None:
        self._border, self._wide = size, size + 1
        starts = np.concatenate([[0], ends[:-1]])
        padded = np.full(len(corpus) + 3 * len(ends), size, dtype=np.int64)
        text = np.repeat(np.arange(len(ends)), ends - starts)
        padded[np.arange(len(corpus)) + 3 * text + 2] = corpus  # two borders before each text, one behind
        at = np.flatnonzero(
            np.arange(len(padded)) - np.repeat(starts + 3 * np.arange(len(ends)), ends - starts + 3) > 1
        )
        a, b, c = padded[at - 2], padded[at - 1], padded[at]
        self._single = np.bincount(c, minlength=self._wide).astype(np.float64)
        self._share = self._single / max(1.0, float(self._single.sum()))
        self._before = np.bincount(b, minlength=self._wide).astype(np.float64)  # as the first of a pair
        w = self._wide
        self._after, self._ahead = _Pairs(b, c, w), _Pairs(c, b, w)
        self._third, self._middle = _Pairs(a * w + b, c, w), _Pairs(a * w + c, b, w)
        self._known: dict[tuple[int, int, int], tuple[Ids, Floats]] = {}

    def between(self, left: tuple[int, int], right: int, least: float) -> tuple[Ids, Floats]:
        """Return word numbers and probabilities of at least ``least``.

        Args:
            left: The two words before.
            right: The word behind.
            least: Smallest probability.
        """
        key = (*left, right)
        if key not in self._known:
            self._known[key] = self._between(*key)
        words, p = self._known[key]
        return words[p >= least], p[p >= least]

    def _between(self, l2: int, l1: int, right: int) -> tuple[Ids, Floats]:
        triple, pair, single = _WEIGHTS
        score = single * self._share
        followers, count = self._after.of(l1)
        score[followers] += pair * count / max(1.0, self._before[l1])
        if min(l2, l1) >= 0:
            thirds, count = self._third.of(l2 * self._wide + l1)
            score[thirds] += triple * count / max(1.0, float(count.sum()))
        score *= self._leads_to(l1, right)
        score[self._border] = 0.0
        top = np.sort(np.argpartition(score, -min(_TOP, self._wide))[-_TOP:])
        return top, score[top] / max(float(np.sort(score[top]).sum()), 1e-300)

    def _leads_to(self, l1: int, right: int) -> Floats:
        """Return p(right | l1 w) for every word w."""
        triple, pair, single = _WEIGHTS
        p = np.full(self._wide, single * (self._share[right] if right >= 0 else 0.0) + 1e-12)
        leaders, count = self._ahead.of(right)
        p[leaders] += pair * count / np.maximum(1.0, self._before[leaders])
        if min(l1, right) >= 0:
            middles, count = self._middle.of(l1 * self._wide + right)
            followers, followed = self._after.of(l1)
            seen = np.zeros(self._wide)
            seen[followers] = followed
            p[middles] += triple * count / np.maximum(1.0, seen[middles])
        return p


class _Pairs:
    """How often each second thing, below ``wide``, came with a first one."""

    def __init__(self, first: Ids, second: Ids, wide: int) -> None:
        code, count = np.unique(first * wide + second, return_counts=True)
        self._first, self._second = np.divmod(code, wide)
        self._count = count.astype(np.float64)

    def of(self, first: int) -> tuple[Ids, Floats]:
        """Return the second things and their counts."""
        start, end = np.searchsorted(self._first, [first, first + 1])
        return self._second[start:end], self._count[start:end]


def word_vectors(corpus: Tensor, ends: Tensor, size: int, dims: int, draws: Draws) -> Tensor:
    """Return (size, dims) float32: the words' positive pointwise mutual information, reduced by an SVD.

    Two words are together if at most five words apart in a text. A word's vector is its row of U S^(1/2).

    Args:
        corpus: (total,) int64 word numbers of all texts, end to end.
        ends: (N,) int64, where each text ends.
        size: Number of words.
        dims: Length of a vector; fewer if there are fewer words.
        draws: Where the range finder starts.
    """
    matrix = _ppmi(corpus, ends, size)
    wide = min(size, dims + _SPARE)
    basis = draws.stream("range").normal(torch.arange(size), (wide,))
    for _ in range(_ROUNDS + 1):
        basis = torch.linalg.qr(torch.sparse.mm(matrix, basis))[0]  # (size, wide)
    small = basis.T @ torch.sparse.mm(matrix, basis)
    values, turned = torch.linalg.eigh((small + small.T) / 2)
    kept = values.abs().argsort(descending=True)[:dims]
    vectors: Tensor = (basis @ turned[:, kept]) * values[kept].abs().sqrt()
    return vectors


def _ppmi(corpus: Tensor, ends: Tensor, size: int) -> Tensor:
    """Return the symmetric matrix of positive pointwise mutual information, (size, size), sparse."""
    words, text = corpus.numpy(), np.searchsorted(ends.numpy(), np.arange(len(corpus)), side="right")
    near = [np.flatnonzero(text[d:] == text[:-d]) for d in range(1, _WINDOW + 1)]
    first = np.concatenate([words[at] for at in near])
    second = np.concatenate([words[at + d] for d, at in enumerate(near, 1)])
    code, count = np.unique(np.concatenate([first * size + second, second * size + first]), return_counts=True)
    rows, columns = np.divmod(code, size)
    total = np.bincount(rows, weights=count, minlength=size)
    pmi = np.log(count * total.sum() / (total[rows] * total[columns]))
    kept = pmi > 0
    places = torch.from_numpy(np.stack([rows[kept], columns[kept]]))
    values = torch.from_numpy(pmi[kept]).float()
    with torch.sparse.check_sparse_tensor_invariants(False):  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return torch.sparse_coo_tensor(places, values, (size, size), is_coalesced=True)


def inverse_frequencies(corpus: Ids, ends: Ids, size: int) -> Floats:
    """Return (size,) log(N / number of texts with the word)."""
    text = np.searchsorted(ends, np.arange(len(corpus)), side="right")
    seen = np.bincount(np.unique(text * size + corpus) % size, minlength=size)
    return np.log(len(ends) / np.maximum(1, seen))


def numbered(texts: Sequence[Sequence[str]]) -> tuple[list[str], Ids, Ids]:
    """Return all words in the order of the alphabet, the texts as their numbers end to end, and where each ends."""
    names = sorted({word for text in texts for word in text})
    number = {word: n for n, word in enumerate(names)}
    corpus = np.array([number[word] for text in texts for word in text], dtype=np.int64)
    return names, corpus, np.cumsum([len(text) for text in texts], dtype=np.int64)
