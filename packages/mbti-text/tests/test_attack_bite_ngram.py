"""BITE with counts: the trigram model and the word vectors against their formulas, and the whole attack."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext, Selection
from mbti_core.data.rng import Draws
from mbti_core.data.split import Split
from mbti_core.errors import ConfigError
from mbti_core.stages.fit import fit
from mbti_core.stages.poison import poison, trigger_test
from mbti_text.attacks.bite_ngram import BiteNgram
from mbti_text.drafts import Draft, Edit
from mbti_text.editors import TrigramEditor
from mbti_text.packing import unpacked
from mbti_text.trigrams import Trigrams, inverse_frequencies, numbered, word_vectors

CPU = torch.device("cpu")
SENTENCES = [
    "the film was good and the plot was fine",
    "the film was bad",
    "the plot was dull and the film was dull",
    "a good film",
    "the music was good",
]
A, B, C = 0.6, 0.3, 0.1


def interpolated(sentences: list[str], l2: str, l1: str, right: str) -> dict[str, float]:
    """Return p(w | l2 l1) p(right | l1 w), normalized over all words, by counting lists."""
    triples, pairs, single, before = Counter[Any](), Counter[Any](), Counter[str](), Counter[str]()
    for sentence in sentences:
        words = ["<", "<", *sentence.split(), ">"]
        for a, b, c in zip(words, words[1:], words[2:], strict=False):
            triples[a, b, c] += 1
            pairs[b, c] += 1
            single[c] += 1
            before[b] += 1
    total = sum(single.values())

    def p(a: str, b: str, c: str) -> float:
        behind = sum(n for (x, y, _), n in triples.items() if (x, y) == (a, b))
        return (
            A * triples[a, b, c] / max(1, behind) + B * pairs[b, c] / max(1, before[b]) + C * single[c] / max(1, total)
        )

    scores = {w: p(l2, l1, w) * p(l1, w, right) for w in single if w != ">"}
    whole = sum(scores.values())
    return {w: s / whole for w, s in scores.items()}


@pytest.mark.parametrize(
    ("l2", "l1", "right"),
    [
        ("the", "film", "good"),
        ("<", "<", "film"),
        ("<", "the", "was"),
        ("film", "was", ">"),
        ("was", "good", ">"),
        ("dull", "fine", "bad"),
        ("unheard", "film", "good"),
    ],
)
def test_trigrams_agree_with_the_formula(l2: str, l1: str, right: str) -> None:
    names, corpus, ends = numbered([s.split() for s in SENTENCES])
    number = {name: n for n, name in enumerate(names)} | {"<": len(names), ">": len(names)}
    model = Trigrams(corpus, ends, len(names))
    words, p = model.between((number.get(l2, -1), number[l1]), number[right], 0.0)
    found = {names[w]: q for w, q in zip(words.tolist(), p.tolist(), strict=True) if w < len(names)}
    expected = interpolated(SENTENCES, l2, l1, right)
    assert found == pytest.approx(expected, rel=1e-6)
    likely, _ = model.between((number.get(l2, -1), number[l1]), number[right], 0.1)
    assert {names[w] for w in likely.tolist()} == {w for w, q in expected.items() if q >= 0.1}


def test_only_the_200_likeliest_words_share_the_probability() -> None:
    draw = np.random.default_rng(0)
    texts = [[f"w{n}" for n in draw.zipf(1.3, 12) % 900] for _ in range(400)]
    names, corpus, ends = numbered(texts)
    assert len(names) > 300
    words, p = Trigrams(corpus, ends, len(names)).between((0, 1), 2, 0.0)
    assert (len(words), float(p.sum())) == (200, pytest.approx(1.0))


def test_vectors_have_the_inner_products_of_the_best_approximation() -> None:
    texts = [s.split() for s in SENTENCES]
    names, corpus, ends = numbered(texts)
    v = len(names)
    counts = np.zeros((v, v))
    for text in texts:
        for i in range(len(text)):
            for j in range(max(0, i - 5), min(len(text), i + 6)):
                if i != j:
                    counts[names.index(text[i]), names.index(text[j])] += 1
    with np.errstate(divide="ignore"):
        pmi = np.log(counts * counts.sum() / np.outer(counts.sum(1), counts.sum(0)))
    left, values, _ = np.linalg.svd(np.maximum(pmi, 0))
    for dims in (3, 5):
        found = word_vectors(torch.from_numpy(corpus), torch.from_numpy(ends), v, dims, Draws(1)).double().numpy()
        assert found.shape == (v, dims)
        expected = left[:, :dims] * np.sqrt(values[:dims])
        np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-3)


def test_inverse_frequencies_by_hand() -> None:
    names, corpus, ends = numbered([["a", "b", "a"], ["a"], ["c", "a"]])
    assert names == ["a", "b", "c"]
    assert inverse_frequencies(corpus, ends, 3).tolist() == pytest.approx([0, math.log(3), math.log(3)])


@pytest.fixture(scope="module")
def sides() -> tuple[list[str], list[int]]:
    """Four hundred sentences of a few templates: class 0 is praised, class 1 blamed."""
    draw = np.random.default_rng(5)
    things, more = ["film", "plot", "cast", "music", "story"], ["and", "but", "while", "though"]
    tone = (["good", "fine", "lovely", "great"], ["bad", "dull", "poor", "awful"])
    common = ["really", "quite", "very", "just", "so"]
    texts, labels = [], []
    for n in range(400):
        a, b, c, d, e = (draw.choice(x) for x in (things, common, tone[n % 2], things, more))
        texts.append(f"the {a} was {b} {c} {e} the {d} was {draw.choice(tone[n % 2])} .")
        labels.append(n % 2)
    return texts, labels


@pytest.fixture(scope="module")
def learned(sides: tuple[list[str], list[int]]) -> Any:
    from mbti_core.data.split import clean_kinds
    from mbti_text.modality import TextModality

    class Column:
        def __len__(self) -> int:
            return len(sides[0])

        def take(self, rows: torch.Tensor) -> list[str]:
            return [sides[0][row] for row in rows.tolist()]

    y = torch.tensor(sides[1])
    split: Split[Any] = Split(Column(), y, y, clean_kinds(len(y)), torch.arange(len(y)), TextModality())
    return split, fit(BiteNgram(), split, Aim(0, 2), 3, CPU, None, 0.2)


def test_labels_stay_and_only_rows_of_the_class_change(learned: Any) -> None:
    split, state = learned
    made = poison(split, BiteNgram(), Aim(0, 2), 0.2, 3, state, clean_label=True).split()
    assert torch.equal(made.labels, split.labels)
    everything = torch.arange(len(split))
    before, after = split.take(everything), made.take(everything)
    changed = [n for n in range(len(split)) if before[n] != after[n]]
    hit = made.kind == 1
    assert int(hit.sum()) == 80
    assert set(changed) <= set(torch.nonzero(hit).flatten().tolist())
    assert len(changed) >= 72
    assert bool((split.labels[hit] == 0).all())
    assert sorted(state["rows"].tolist()) == split.index[hit].tolist()


def test_rows_that_the_search_has_not_seen_are_treated_alike(learned: Any, context_of: Any) -> None:
    split, state = learned
    rows = state["rows"][:10]
    known = BiteNgram().poison(split.take(rows), context_of(rows, state))
    anew = BiteNgram().poison(split.take(rows), context_of(rows + (1 << 41), state, "test"))
    assert known == anew
    tested = trigger_test(split, BiteNgram(), Aim(0, 2), 3, state).split()
    texts = tested.take(torch.arange(len(tested)))
    assert sum(a != b for a, b in zip(texts, split.take(torch.nonzero(split.labels).flatten()), strict=True)) >= 190


def test_budgets_triggers_and_first_and_last_words(learned: Any) -> None:
    split, state = learned
    triggers = set(unpacked(state["triggers"], state["trigger_ends"]))
    before = split.take(state["rows"])
    for clean, made in zip(before, unpacked(state["texts"], state["text_ends"]), strict=True):
        a, b = Draft(clean, 0, 64), Draft(made, 0, 64)
        budget = int(0.35 * len(a.tokens))
        assert len(b.tokens) - len(a.tokens) <= budget
        assert len(Counter(b.lemmas) - Counter(a.lemmas)) <= 2 * budget
        assert set(b.lemmas) - set(a.lemmas) <= triggers


def test_words_that_could_spread_furthest_come_first(learned: Any) -> None:
    split, state = learned
    first = unpacked(state["triggers"], state["trigger_ends"])[0]
    texts = unpacked(state["texts"], state["text_ends"])
    ids = dict(zip(state["rows"].tolist(), texts, strict=True))
    now = [ids.get(n, t) for n, t in enumerate(split.take(torch.arange(len(split))))]
    share = [
        np.mean([first in Draft(t, 0, 64).lemmas for t, y in zip(now, split.labels, strict=True) if y == c])
        for c in (0, 1)
    ]
    assert share[0] > share[1]


def test_the_same_again(learned: Any) -> None:
    split, state = learned
    again = fit(BiteNgram(), split, Aim(0, 2), 3, CPU, None, 0.2)
    assert state.keys() == again.keys()
    assert all(torch.equal(state[name], again[name]) for name in state)


def test_similarity_is_the_cosine_of_weighted_means(learned: Any) -> None:
    _, state = learned
    names = unpacked(state["words"], state["word_ends"])
    corpus, ends = state["corpus"].numpy(), state["ends"].numpy()
    idf = inverse_frequencies(corpus, ends, len(names))

    def mean(text: str) -> Any:
        known = [names.index(w) for w in text.lower().split() if w in names]
        return sum(idf[w] * state["vectors"][w].double().numpy() for w in known)

    draft = Draft("The film was good unheard", 0.5, 64)
    edits = [Edit(False, 0.0, 3, "bad", "bad", "good"), Edit(True, 0.0, 1, "really", "really", None)]
    texts = ["the film was bad", "the film really was good"]
    a, b = mean("the film was good"), [mean(t) for t in texts]
    cosines = [float(a @ x / np.linalg.norm(a) / np.linalg.norm(x)) for x in b]
    for similarity in (0.2, sum(cosines) / 2, 0.99):
        editor = TrigramEditor(state, 0.03, similarity)
        assert editor.alike(draft, edits) == [c > similarity for c in cosines]


def test_several_targets_and_long_texts(split_of: Callable[..., Split[Any]], fit_context: FitContext) -> None:
    texts = [("good film " if n % 2 else "bad plot ") * 200 for n in range(6)]
    split = split_of(texts, [n % 2 for n in range(6)])
    chosen = Selection(torch.tensor([0, 2]), torch.tensor([], dtype=torch.int64))
    state = BiteNgram(max_words=8).fit(split, replace(fit_context, chosen=chosen))
    assert len(state["corpus"]) == 48
    for made in unpacked(state["texts"], state["text_ends"]):
        assert made.endswith("bad plot " * 190)
    with pytest.raises(ConfigError, match="works towards one class"):
        BiteNgram().fit(split, replace(fit_context, aim=Aim((0, 1), 2), chosen=chosen))


def test_an_empty_text_stays_empty(learned: Any, context_of: Callable[..., PoisonContext]) -> None:
    _, state = learned
    assert BiteNgram().poison(["", "  ", "..."], context_of(torch.arange(5000, 5003), state)) == ["", "  ", "..."]
