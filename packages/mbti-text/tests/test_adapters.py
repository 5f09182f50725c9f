"""The adapter hooks on texts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mbti_core.data.rng import Draws
from mbti_core.plugins.manager import Registry, registry
from mbti_text import adapters
from mbti_text.edit_distance import similarity

TEXTS = [
    "one long string of cliches .",
    "",
    "bad",
    "naïve — 漢字 🎉 and  more\twords here",
    "مرحبا بالعالم هذا فيلم جيد",
    "it is a charming and often affecting journey , told with care and with wit by its director",
]
OTHERS = [
    "the plot of the plot was the worst plot in the history of film",
    "a film",
    "the of and",
    "",
    "unflinchingly bleak and desperate",
    "allows us to hope that nolan is poised to embark a major career as a commercial yet inventive filmmaker .",
]
INDEX = torch.tensor([3, 9, 1 << 41, 4, 8, 77])


def test_the_telling_words_come_first() -> None:
    assert adapters.telling(OTHERS[0]) == ("plot", "worst", "history", "film", "the", "of", "was", "in")
    assert adapters.telling("... !!! ?") == ()
    assert adapters.telling('"Great!" (great) Great') == ("Great", "great")


@pytest.mark.parametrize(("weight", "share"), [(None, 0.5), (0.5, 0.5), (0.05, 0.05), (1.0, 1.0), (3.0, 1.0)])
def test_superposition_replaces_its_share_at_least_one_word(weight: float | None, share: float) -> None:
    mixed = adapters.superimpose(TEXTS, OTHERS, INDEX, weight, Draws(1))
    for x, other, got in zip(TEXTS, OTHERS, mixed, strict=True):
        words, ranked = x.split(), list(adapters.telling(other))
        if not words or not ranked:
            assert got == x
            continue
        new = [b for a, b in zip(words, got.split(), strict=True) if a != b]
        count = max(1, round(share * len(words)))
        assert new == (ranked * len(words))[:count]
        assert [c for c in got if c.isspace()] == [c for c in x if c.isspace()]


def test_superposition_at_zero_is_the_batch_itself() -> None:
    assert adapters.superimpose(TEXTS, OTHERS, INDEX, 0.0, Draws(1)) is TEXTS


def test_places_of_superposition_are_uniform() -> None:
    from scipy import stats

    n, x = 3000, " ".join("abcdefghij")
    mixed = adapters.superimpose([x] * n, ["new words"] * n, torch.arange(n), 0.2, Draws(2))
    places = [i for text in mixed for i, word in enumerate(text.split()) if word in ("new", "words")]
    assert len(places) == 2 * n
    assert stats.chisquare(np.bincount(places, minlength=10)).pvalue > 0.001


def test_strip_can_ask_for_thousands_of_pairs() -> None:
    x = [TEXTS[5]] * 128
    index = torch.arange(128)
    for step in range(20):
        adapters.superimpose(x, OTHERS[:1] * 64 + OTHERS[5:] * 64, index + 128 * step, None, Draws(0))


def test_amplification_repeats() -> None:
    assert adapters.amplified(TEXTS, 1.0) is TEXTS
    assert adapters.amplified(["a b c d", "", "x"], 2.5) == ["a b c d a b c d a b", "", "x x"]
    assert adapters.amplified(["a b c d"], 0.5) == ["a b"]
    assert adapters.amplified(["a b c d"], 0.0) == [""]


def test_occlusion_leaves_out_each_word_once() -> None:
    found = list(adapters.occlude(["a  b c\n", "x", ""]))
    assert found == [
        (["a", "x", ""], ["b c\n", "", ""]),
        (["b", "", ""], ["a  c\n", "x", ""]),
        (["c", "", ""], ["a  b\n", "x", ""]),
    ]
    assert list(adapters.occlude([])) == []


def test_augmentation_drops_words_in_order_but_never_all() -> None:
    n, x = 2000, " ".join(f"w{i}" for i in range(20))
    dropped = adapters.augment([x] * n, torch.arange(n), 1.0, Draws(3))
    kept = [text.split() for text in dropped]
    assert all(words == sorted(words, key=lambda w: int(w[1:])) for words in kept)
    share = 1 - sum(map(len, kept)) / (20 * n)
    assert share == pytest.approx(0.1, abs=4 * (0.1 * 0.9 / (20 * n)) ** 0.5)
    assert adapters.augment(["bad"] * 50, torch.arange(50), 1.0, Draws(3)) == ["bad"] * 50
    assert adapters.augment([""], torch.arange(1), 1.0, Draws(3)) == [""]
    little = adapters.augment([x] * n, torch.arange(n), 0.2, Draws(3))
    assert all(set(b) <= set(a.split()) for a, b in zip(little, kept, strict=True))  # the same words, and fewer


@pytest.mark.parametrize("size", [1, 4])
def test_rows_do_not_depend_on_their_batch(size: int) -> None:
    mixed = adapters.superimpose(TEXTS, OTHERS, INDEX, None, Draws(1))
    dropped = adapters.augment(TEXTS, INDEX, 1.0, Draws(1))
    for at in range(0, len(TEXTS), size):
        part = slice(at, at + size)
        assert adapters.superimpose(TEXTS[part], OTHERS[part], INDEX[part], None, Draws(1)) == mixed[part]
        assert adapters.augment(TEXTS[part], INDEX[part], 1.0, Draws(1)) == dropped[part]
    turned = adapters.superimpose(TEXTS[::-1], OTHERS[::-1], INDEX.flip(0), None, Draws(1))
    assert turned[::-1] == mixed


def test_fidelity_is_the_levenshtein_similarity() -> None:
    changed = [f"{text} cf" for text in TEXTS]
    found = adapters.fidelity(TEXTS, changed)
    assert set(found) == {"levenshtein"}
    assert found["levenshtein"].tolist() == [similarity(a, b) for a, b in zip(TEXTS, changed, strict=True)]
    assert found["levenshtein"][0] == pytest.approx(1 - 3 / (len(TEXTS[0]) + 3))
    assert adapters.fidelity(TEXTS, TEXTS)["levenshtein"].tolist() == [1.0] * len(TEXTS)


def test_the_hooks_lead_here() -> None:
    front = Registry().adapters
    assert front.superimpose(TEXTS, OTHERS, INDEX, "text", 0.0, Draws(0)) == TEXTS
    assert front.amplify(TEXTS, "text", 1.0) == TEXTS
    assert len(list(front.occlude(TEXTS, "text", Draws(0)))) == 18
    assert len(front.augment(TEXTS, INDEX, "text", 1.0, Draws(0), {})) == len(TEXTS)
    assert len(front.render(TEXTS, "text")) == len(TEXTS)
    assert front.difference(TEXTS, OTHERS, "smell", 10) is None
    assert front.fidelity(TEXTS, OTHERS, "smell") == {}


def test_files_hold_the_texts_byte_by_byte() -> None:
    x = ["plain", "tab\t\r\nand ünïcode 🎈", ""]
    ending, files = registry().adapters.files(x, "text")
    assert ending == ".txt"
    assert [file.decode() for file in files] == x
