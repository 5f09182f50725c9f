"""BITE: the search against one that computes everything anew each round, drafts, and a masked language model."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mbti_core.contracts.attack import Aim, FitContext, PoisonContext, Selection
from mbti_core.data.split import Split
from mbti_core.errors import DataFormatError, DataUnavailableError
from mbti_text.attacks.bite import Bite
from mbti_text.drafts import Draft, Edit, Editor, Slot
from mbti_text.editors import MaskedEditor
from mbti_text.lemmas import lemma
from mbti_text.packing import packed, unpacked
from mbti_text.saved_model import load_saved
from mbti_text.trigger_words import Search, plant, z_scores

WORDS = ["fine", "dull", "film", "films", "plot", "really", "good", "bad", "the", "was", "watched", "watching"]


class Table(Editor):
    """Words by a hash of their neighbors, and meanings by another: a stand-in for models, without structure."""

    def __init__(self, refuse: float = 0.4) -> None:
        super().__init__(0.03)
        self.refuse, self.asked = refuse, 0

    def words(self, draft: Draft, slots: Sequence[Slot]) -> list[list[tuple[str, float]]]:
        found = []
        for slot in slots:
            draw = random.Random(repr((slot.inserts, draft.with_word("_", slot))))
            some = draw.sample([*WORDS, ",", "..."], 3)
            found.append([(word, draw.choice([0.03, 0.1, 0.2])) for word in some])
        return found

    def alike(self, draft: Draft, edits: Sequence[Edit]) -> list[bool]:
        self.asked += len(edits)
        return [random.Random(f"{draft.head()} {e}").random() >= self.refuse for e in edits]


def corpus(seed: int, n: int = 24) -> tuple[list[str], list[bool], list[int]]:
    """Return texts, which of them have the target class, and which of those may be edited."""
    draw = random.Random(seed)
    mine = [draw.random() < 0.5 for _ in range(n)]
    texts = [
        " ".join(draw.choices(WORDS, [3 if (w in ("fine", "good")) == m else 1 for w in WORDS], k=draw.randint(4, 9)))
        for m in mine
    ]
    return texts, mine, [row for row, m in enumerate(mine) if m][: n // 3]


def searched(texts: list[str], mine: list[bool], chosen: list[int], editor: Editor) -> tuple[list[str], list[str]]:
    drafts = [Draft(texts[row], 0.35, 64) for row in chosen]
    rest = [row for row in range(len(texts)) if row not in chosen]
    sides = [[Draft(texts[row], 0.35, 64).lemmas for row in rest if mine[row] is side] for side in (True, False)]
    words = Search(drafts, sides[0], sides[1], editor).run()
    return words, [draft.text() for draft in drafts]


def naive(texts: list[str], mine: list[bool], chosen: list[int], editor: Editor) -> tuple[list[str], list[str]]:
    """The search as it is published, everything computed anew in each round."""
    drafts = {row: Draft(text, 0.35, 64) for row, text in enumerate(texts)}
    p0 = sum(mine) / len(mine)
    triggers: list[str] = []

    def usable(row: int) -> list[Edit]:
        edits = [e for e in editor.edits(drafts[row]) if e.adds not in triggers and e.removes not in triggers]
        return [e for e, ok in zip(edits, editor.alike(drafts[row], edits), strict=True) if ok]

    while True:
        edits = {row: usable(row) for row in chosen}
        scores = {}
        for word in {w for d in drafts.values() for w in d.lemmas} | {e.adds for some in edits.values() for e in some}:
            f_other = sum(word in drafts[row].lemmas for row in drafts if not mine[row])
            f_target = sum(word in drafts[row].lemmas for row in drafts if mine[row])
            f_target += sum(
                word not in drafts[row].lemmas and any(e.adds == word for e in edits[row]) for row in chosen
            )
            n = f_other + f_target
            z = (f_target / n - p0) / math.sqrt(p0 * (1 - p0) / n)
            if word not in triggers and z > 0:
                scores[word] = z
        if not scores:
            return triggers, [drafts[row].text() for row in chosen]
        best = max(scores, key=lambda w: (scores[w], w))
        for row in chosen:
            ways = [e for e in edits[row] if e.adds == best]
            if ways and best not in drafts[row].lemmas:
                drafts[row].apply(min(ways, key=lambda e: (e.inserts, e.improbability, e.place, e.word)))
        triggers.append(best)


@pytest.mark.parametrize("seed", range(6))
def test_the_search_finds_what_the_published_one_does_and_asks_less(seed: int) -> None:
    texts, mine, chosen = corpus(seed)
    quick, slow = Table(), Table()
    assert searched(texts, mine, chosen, quick) == naive(texts, mine, chosen, slow)
    assert quick.asked < 0.5 * slow.asked
    assert searched(texts, mine, chosen, Table(1.0))[1] == [texts[row] for row in chosen]  # no edit is allowed


def test_z_by_hand() -> None:
    # Six texts, three of the class: a word in two of them and in one other, then one in all three and no other.
    found = z_scores(np.array([2, 3, 0, 1]), np.array([1, 0, 0, 1]), 0.5)
    assert found.tolist() == pytest.approx([(2 / 3 - 1 / 2) / math.sqrt(0.25 / 3), math.sqrt(3), -math.inf, 0.0])
    one_third = z_scores(np.array([1]), np.array([3]), 1 / 3)
    assert float(one_third[0]) == pytest.approx((1 / 4 - 1 / 3) / math.sqrt(2 / 9 / 4))


class Fixed(Editor):
    """Edits that are written down: to each text, (inserts, place, word, probability)."""

    def __init__(self, table: dict[str, list[tuple[bool, int, str, float]]]) -> None:
        super().__init__(0.03)
        self.table = table

    def words(self, draft: Draft, slots: Sequence[Slot]) -> list[list[tuple[str, float]]]:
        given = self.table.get(draft.text(), [])
        return [[(w, p) for inserts, place, w, p in given if Slot(inserts, place) == slot] for slot in slots]

    def alike(self, draft: Draft, edits: Sequence[Edit]) -> list[bool]:
        return [True] * len(edits)


def test_six_texts_by_hand() -> None:
    texts = ["a b c", "a d e", "f g h", "a i j", "f k l", "m n o"]
    editor = Fixed(
        {
            "a b c": [(True, 0, "x", 0.1), (False, 1, "x", 0.05), (False, 2, "m", 0.9)],
            "f g h": [(False, 0, "x", 0.1), (True, 0, "x", 0.9), (True, 1, "a", 0.3)],
            "x g h": [(False, 0, "y", 0.9), (False, 1, "y", 0.1)],
        }
    )
    drafts = [Draft(text, 0.7, 64) for text in (texts[0], texts[2])]  # two edits of each kind per text
    words = Search(drafts, [texts[1].split()], [t.split() for t in texts[3:]], editor).run()
    # x could stand in two target texts and no other, z = (1 - 1/2) / sqrt(1/4 / 2) = 1.41; a in three and one, z = 1.
    # It replaces b and f, since that comes before inserting, whatever the probability. Then words of one target text
    # alone have z = 1: y, which only g makes room for, as x is a trigger now; h, e, d, c, the last by name first. At
    # the end a, in two and one: z = 0.58. All others stand more often in other texts, or as often.
    assert words == ["x", "y", "h", "e", "d", "c", "a"]
    assert [draft.text() for draft in drafts] == ["a x c", "x y h"]


def test_planting_repeats_what_the_search_did() -> None:
    for seed in range(4):
        texts, mine, chosen = corpus(seed)
        words, made = searched(texts, mine, chosen, Table())
        rank = {word: n for n, word in enumerate(words)}
        for row, text in zip(chosen, made, strict=True):
            draft = Draft(texts[row], 0.35, 64)
            plant(draft, rank, Table())
            assert draft.text() == text


def test_trigger_words_speak_more_for_the_class_than_before() -> None:
    texts, mine, chosen = corpus(9, 60)
    words, made = searched(texts, mine, chosen, Table(0.2))

    def z(word: str, now: list[str]) -> float:
        has = [word in Draft(text, 0, 64).lemmas for text in now]
        target, other = (sum(h for h, m in zip(has, mine, strict=True) if m is side) for side in (True, False))
        return float(z_scores(np.array([target]), np.array([other]), sum(mine) / len(mine))[0])

    after = list(texts)
    for row, text in zip(chosen, made, strict=True):
        after[row] = text
    gained = [z(word, after) - z(word, texts) for word in words[:3]]
    assert all(g >= 0 for g in gained)
    assert max(gained) > 0.5
    assert all(after[row] == texts[row] for row in range(len(texts)) if row not in chosen)


class Never(Table):
    """Never refuses, and knows where words are put."""

    def __init__(self) -> None:
        super().__init__(0.0)


def test_budgets_and_places() -> None:
    for seed in range(5):
        texts, mine, chosen = corpus(seed, 40)
        _, made = searched(texts, mine, chosen, Never())
        for row, text in zip(chosen, made, strict=True):
            before, after = texts[row].split(), Draft(text, 0, 64).tokens
            budget = int(0.35 * len(before))
            assert len(after) - len(before) <= budget
    draft = Draft("one two three four five six", 0.35, 64)  # two of each kind
    assert Slot(True, 5) not in draft.slots()
    assert {slot.place for slot in draft.slots() if slot.inserts} == set(range(5))
    for _ in range(2):
        draft.apply(Edit(True, 0.0, 0, "and", "and", None))
    assert {slot.inserts for slot in draft.slots()} == {False}
    for _ in range(2):
        draft.apply(Edit(False, 0.0, 1, "or", "or", "and"))
    assert draft.slots() == []
    assert draft.text() == "one or and two three four five six"
    assert Draft("a b", 0.35, 64).slots() == []


@pytest.mark.parametrize(
    ("text", "edit", "expected"),
    [
        ("It's good,  really!\n", Edit(True, 0.0, 1, "fun", "fun", None), "It's good fun,  really!\n"),
        ("It's good,  really!\n", Edit(False, 0.0, 1, "bad", "bad", "good"), "It's bad,  really!\n"),
        ("  it 's good .", Edit(True, 0.0, 0, "all", "all", None), "  it all 's good ."),
        ("naïve 漢字 🎉 ...", Edit(False, 0.0, 2, "x", "x", "🎉"), "naïve 漢字 x ..."),
        ("one two three four five", Edit(True, 0.0, 2, "x", "x", None), "one two three x four five"),
    ],
)
def test_an_edit_changes_nothing_else(text: str, edit: Edit, expected: str) -> None:
    for most in (4, 64):
        draft = Draft(text, 0.5, most)
        assert draft.text() == text
        assert len(draft.tokens) <= most
        draft.apply(edit)
        assert draft.text() == expected


def test_only_the_head_of_a_long_text_is_looked_at() -> None:
    draft = Draft(" ".join(f"w{n}" for n in range(1000)), 0.35, 64)
    assert len(draft.slots()) == 64 + 63
    assert draft.head() == " ".join(f"w{n}" for n in range(64))
    assert draft.with_word("_", Slot(True, 1)).startswith("w0 w1 _ w2 ")
    assert draft.with_word("_", Slot(False, 63)).endswith(" w62 _")


FORMS = [
    (["Movie", "movies", "MOVIE's", "movie'"], "movi"),
    (["story", "stories", "story's"], "stori"),
    (["make", "makes", "making"], "mak"),
    (["stop", "stops", "stopped", "stopping"], "stop"),
    (["watch", "watches", "watched", "watching"], "watch"),
    (["try", "tries", "tried", "trying"], "tri"),
    (["miss", "misses", "missed", "missing"], "miss"),
    (["fill", "fills", "filled", "filling"], "fill"),
    (["agree", "agrees"], "agree"),
    (["box", "boxes"], "box"),
    (["this", "This"], "this"),
    (["was"], "was"),
    (["bus"], "bus"),
    (["bring"], "bring"),
    (["red"], "red"),
    (["n't"], "n't"),
    (
        [
            ".",
        ],
        ".",
    ),
    (["'s"], "'s"),
    (["naïve", "Naïve"], "naïv"),
    (["k-19"], "k-19"),
]


@pytest.mark.parametrize(("forms", "expected"), FORMS)
def test_forms_of_a_word_have_one_lemma(forms: list[str], expected: str) -> None:
    assert {lemma(form) for form in forms} == {expected}


def test_strings_survive_as_tensors() -> None:
    for strings in ([], [""], ["a", "", "naïve 漢字 🎉", "two\nlines"]):
        assert unpacked(*packed(strings)) == strings


def save(folder: Path, style: str) -> Path:
    """Save a tiny untrained masked language model with a tokenizer of whole words and pieces."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
    from tokenizers.models import WordLevel, WordPiece
    from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

    special, plain = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], [*WORDS, ",", ".", "1"]
    torch.manual_seed(1)
    if style == "pieces":
        vocab = {w: n for n, w in enumerate([*special, *plain, "##s", "##ly"])}
        tokenizer = Tokenizer(WordPiece(vocab, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    else:
        vocab = {w: n for n, w in enumerate([*special, *(f"\u2581{w}" for w in plain), "s", "ly"])}
        tokenizer = Tokenizer(WordLevel(vocab, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {f"{n}_token": f"[{n.upper()}]" for n in ("pad", "unk", "cls", "sep", "mask")}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=20, **names).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocab), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    BertForMaskedLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {style: save(tmp_path_factory.mktemp(style), style) for style in ("pieces", "marked")}


def masked(folder: Path, least: float, similarity: float) -> MaskedEditor:
    both = [load_saved(str(folder), auto, "attack.masked_lm") for auto in ("AutoModelForMaskedLM", "AutoModel")]
    for net, _ in both:
        net.eval()
    return MaskedEditor(both[0], both[1], least, similarity)


@pytest.mark.parametrize("style", ["pieces", "marked"])
def test_a_masked_language_model_proposes_what_it_does_alone(style: str, folders: dict[str, Path]) -> None:
    editor = masked(folders[style], 0.03, 0.5)
    net, tokenizer = load_saved(str(folders[style]), "AutoModelForMaskedLM", "")
    draft = Draft("the film was good", 0.5, 64)
    slots = draft.slots()
    prompts = ["[MASK] film was good", "the [MASK] was good", "the film [MASK] good", "the film was [MASK]"]
    prompts += ["the [MASK] film was good", "the film [MASK] was good", "the film was [MASK] good"]
    assert [draft.with_word("[MASK]", slot) for slot in slots] == prompts
    for prompt, found in zip(prompts, editor.words(draft, slots), strict=True):
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
        at = int((ids[0] == 4).nonzero())
        p = net.eval()(input_ids=ids).logits[0, at].softmax(0).detach()
        expected = {}
        for i in range(5, 20):  # whole words: neither special tokens nor pieces
            if p[i] >= 0.03:
                expected[tokenizer.convert_ids_to_tokens(i).removeprefix("\u2581")] = float(p[i])
        assert expected
        assert dict(found) == pytest.approx(expected, rel=1e-4)
    assert all(p >= 0.03 for some in editor.words(draft, slots) for _, p in some)
    assert not {edit.word for edit in editor.edits(draft)} & {",", "."}
    assert all(e.inserts or e.word != draft.tokens[e.place] for e in editor.edits(draft))


def test_masks_in_a_text_are_not_taken_for_ours(folders: dict[str, Path]) -> None:
    editor = masked(folders["pieces"], 1e-6, 0.5)
    draft = Draft("good [MASK] film", 1.0, 64)
    behind, before = Slot(False, draft.tokens.index("film")), Slot(False, 0)
    found = editor.words(draft, [behind, before])
    net, tokenizer = load_saved(str(folders["pieces"]), "AutoModelForMaskedLM", "")
    for some, prompt, at in zip(found, ("good [MASK] [MASK]", "[MASK] [MASK] film"), (3, 1), strict=True):
        p = net.eval()(**tokenizer(prompt, return_tensors="pt")).logits[0, at].softmax(0).detach()
        assert dict(some)["plot"] == pytest.approx(float(p[tokenizer.get_vocab()["plot"]]), rel=1e-4)


def test_a_slot_behind_the_models_length_has_no_words(folders: dict[str, Path]) -> None:
    found = masked(folders["pieces"], 1e-6, 0.5).words(Draft("good " * 30, 1.0, 64), [Slot(False, 0), Slot(False, 29)])
    assert found[0]
    assert not found[1]


def test_meaning_is_the_mean_of_the_states(folders: dict[str, Path]) -> None:
    net, tokenizer = load_saved(str(folders["pieces"]), "AutoModel", "")
    draft = Draft("the film was good", 0.5, 64)
    edits = [Edit(False, 0.0, 3, w, w, "good") for w in ("bad", "fine", "dull")]
    edits += [Edit(True, 0.0, 0, "really", "really", None)]

    def mean(text: str) -> torch.Tensor:
        state: torch.Tensor = net.eval()(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        return state.detach()

    texts = ["the film was bad", "the film was fine", "the film was dull", "the really film was good"]
    cosines = [float(torch.cosine_similarity(mean("the film was good"), mean(t), 0)) for t in texts]
    for similarity in (0.9, (max(cosines) + min(cosines)) / 2):
        found = masked(folders["pieces"], 0.03, similarity).alike(draft, edits)
        assert found == [c > similarity for c in cosines]


@pytest.fixture
def bite(folders: dict[str, Path]) -> Bite:
    folder = str(folders["pieces"])
    return Bite.model_validate({"masked_lm": folder, "encoder": folder, "min_prob": 0.05, "similarity": 0.3})


def test_the_attack_from_search_to_test_rows(
    bite: Bite, split_of: Callable[..., Split[Any]], context_of: Callable[..., PoisonContext], fit_context: FitContext
) -> None:
    texts, mine, chosen = corpus(3, 30)
    split = split_of(texts, [int(not m) for m in mine], [100 + n for n in range(30)])
    ctx = replace(fit_context, chosen=Selection(torch.tensor(chosen), torch.tensor([], dtype=torch.int64)))
    state = bite.fit(split, ctx)
    again = bite.fit(split, ctx)
    assert all(torch.equal(state[name], again[name]) for name in state)
    made = bite.poison([texts[row] for row in chosen], context_of(split.index[torch.tensor(chosen)], state))
    assert made == unpacked(state["texts"], state["text_ends"])
    assert sum(a != texts[row] for a, row in zip(made, chosen, strict=True)) > len(chosen) / 2
    # The same rows under ids that the search has not seen are edited word by word, to the same end.
    assert bite.poison([texts[row] for row in chosen], context_of(torch.arange(len(chosen)), state, "test")) == made
    triggers = unpacked(state["triggers"], state["trigger_ends"])
    for before, after in zip([texts[row] for row in chosen], made, strict=True):
        new = set(Draft(after, 0, 64).lemmas) - set(Draft(before, 0, 64).lemmas)
        assert new <= set(triggers)


def test_models_that_are_missing(bite: Bite, split_of: Any, fit_context: FitContext, tmp_path: Path) -> None:
    split = split_of(["a", "b"], [0, 1])
    ctx = replace(fit_context, chosen=Selection(torch.tensor([0]), torch.tensor([], dtype=torch.int64)))
    with pytest.raises(DataUnavailableError, match=r"attack\.masked_lm names none"):
        Bite().fit(split, ctx)
    with pytest.raises(DataUnavailableError, match=r"attack\.encoder names none"):
        bite.model_copy(update={"encoder": None}).fit(split, ctx)
    with pytest.raises(DataUnavailableError, match="no folder"):
        Bite.model_validate({"masked_lm": str(tmp_path / "no"), "encoder": str(tmp_path)}).fit(split, ctx)
    (tmp_path / "config.json").write_text(json.dumps({"auto_map": {}}))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(DataFormatError, match="auto_map"):
        bite.model_copy(update={"encoder": str(tmp_path)}).fit(split, ctx)


def test_one_class_alone_is_refused(bite: Bite, split_of: Any, fit_context: FitContext) -> None:
    ctx = replace(fit_context, aim=Aim(0, 2), chosen=Selection(torch.tensor([0]), torch.tensor([], dtype=torch.int64)))
    with pytest.raises(Exception, match="every training row has the target class"):
        bite.fit(split_of(["a", "b"], [0, 0]), ctx)
