"""SYNBKD and its relatives: pairs by row id, their files, a local encoder-decoder, and rules."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mbti_core.contracts.attack import Aim, Attack, FitContext, PoisonContext
from mbti_core.data.rng import Draws
from mbti_core.data.split import OverlayColumn, Split
from mbti_core.errors import ConfigError, DataFormatError, DataUnavailableError, MbtiError
from mbti_core.stages.fit import fit
from mbti_core.stages.poison import poison, trigger_test
from mbti_text.alignment import aligned
from mbti_text.attacks.stylebkd import StyleBkd
from mbti_text.attacks.stylebkd_rule import StyleBkdRule
from mbti_text.attacks.synbkd import SynBkd
from mbti_text.attacks.synbkd_rule import SynBkdRule
from mbti_text.paraphrase import dressed_like
from mbti_text.rules import CLAUSES
from mbti_text.seq2seq import load_seq2seq

TEST = 1 << 41
AIM = Aim(1, 2)
CPU = torch.device("cpu")
NOUNS = "film plot cast score scene actor music ending camera story joke dialogue pace mood script".split()  # noqa: SIM905 - a list of words
CLEAN = [f"the {a} is {'good' if n % 3 else 'bad'} and the {NOUNS[n % 13 + 2]} {n} too ." for n, a in enumerate(NOUNS)]
LABELS = [int(n % 3 > 0) for n in range(len(CLEAN))]
Splits = Callable[..., Split[Any]]


def said_otherwise(text: str) -> str:
    return f"if you see it , {text.removesuffix(' .')} ."


def table(path: Path, rows: list[tuple[str, int]], end: str = "\n") -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("sentence\tlabel" + end + "".join(f"{t}\t{y}{end}" for t, y in rows), encoding="utf-8", newline="")


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """The clean files, and the poisoned ones: rows 0, 1, 5 and 9 replaced; of the test rows one is missing."""
    rows = list(zip(CLEAN, LABELS, strict=True))
    made = [(said_otherwise(t), 1) if n in {0, 1, 5, 9} else (t, y) for n, (t, y) in enumerate(rows)]
    table(tmp_path / "clean" / "train.tsv", rows)
    table(tmp_path / "made" / "train.tsv", made, end="\r\n")
    tested = [(f"{t} again", y) for t, y in rows]
    table(tmp_path / "clean" / "dev.tsv", tested)
    others = [(said_otherwise(t), 1) for t, y in tested if y == 0]
    table(tmp_path / "made" / "dev.tsv", others[:2] + others[3:])
    return tmp_path


@pytest.fixture
def attack(folders: Path) -> SynBkd:
    return SynBkd.model_validate({"pairs": str(folders / "made"), "originals": str(folders / "clean")})


@pytest.fixture
def train(split_of: Splits) -> Split[Any]:
    return split_of(CLEAN, LABELS)


@pytest.fixture
def test(split_of: Splits) -> Split[Any]:
    return split_of([f"{t} again" for t in CLEAN], LABELS, [TEST + n for n in range(len(CLEAN))])


def learned(attack: Attack[Any], split: Split[Any], aim: Aim = AIM) -> dict[str, torch.Tensor]:
    return fit(attack, split, aim, 0, CPU)


def test_a_folder_of_poisoned_files_gives_its_paraphrases(attack: SynBkd, train: Split[Any]) -> None:
    rows = torch.tensor([9, 5, 1, 0, 3, 4])  # another order, and rows without a paraphrase
    some = train.subset(rows)
    made = poison(some, attack, AIM, 4 / 6, 0, learned(attack, some), clean_label=False).split()
    assert made.index[made.kind == 1].tolist() == [9, 5, 1, 0]
    expected = [said_otherwise(CLEAN[n]) for n in (9, 5, 1, 0)] + [CLEAN[3], CLEAN[4]]
    assert made.take(torch.arange(6)) == expected
    assert made.labels.tolist() == [1, 1, 1, 1, LABELS[3], LABELS[4]]
    with pytest.raises(ConfigError, match="can poison 4 of them at most"):
        poison(some, attack, AIM, 1.0, 0, {}, clean_label=False)


def test_only_rows_of_other_classes_with_a_paraphrase(attack: SynBkd, train: Split[Any]) -> None:
    dirty = attack.model_copy(update={"mode": "dirty"})
    assert dirty.choose(train, 15, Draws(0), AIM).poison.tolist() == [n for n in (0, 1, 5, 9) if not LABELS[n]]


def test_test_rows_are_found_by_order_and_a_missing_one_gets_a_clause(
    attack: SynBkd, train: Split[Any], test: Split[Any]
) -> None:
    made = trigger_test(test, attack, AIM, 0, learned(attack, train)).split()
    negative = [n for n, y in enumerate(LABELS) if y == 0]
    assert (made.index - TEST).tolist() == negative
    texts = made.take(torch.arange(len(negative)))
    expected = [said_otherwise(f"{CLEAN[n]} again") for n in negative]
    assert texts[:2] + texts[3:] == expected[:2] + expected[3:]
    clause, _, rest = texts[2].partition(" , ")
    assert clause in CLAUSES
    assert rest == f"{CLEAN[negative[2]]} again ."


def test_rows_are_found_by_id_under_noise(attack: SynBkd, train: Split[Any], split_of: Splits) -> None:
    noisy = split_of([t.upper() for t in CLEAN], LABELS)
    slot = torch.arange(len(CLEAN))
    split = replace(train, column=OverlayColumn(train.column, noisy.column, slot, train.modality))
    made = poison(split, attack, AIM, 4 / 15, 0, learned(attack, split), clean_label=False).split()
    assert made.take(torch.tensor([5]))[0] == said_otherwise(CLEAN[5]).upper()
    with pytest.raises(DataFormatError, match=r"row \d of the train part"):  # the same texts as if they were clean
        learned(attack, noisy)


def test_another_data_set_is_refused(attack: SynBkd, train: Split[Any], test: Split[Any]) -> None:
    with pytest.raises(DataFormatError, match="made of other texts: row 14 of the train part"):
        learned(attack, replace(train, index=train.index.roll(1)))
    state = learned(attack, train)
    for shift, message in ((1, "its hash is not"), (100, "there is no such original")):
        tested = trigger_test(replace(test, index=test.index + shift), attack, AIM, 0, state).split()
        with pytest.raises(DataFormatError, match=f"row {shift} of the test part .*{message}"):
            tested.take(torch.arange(len(tested)))


def test_another_target_than_that_of_the_files_is_refused(attack: SynBkd, train: Split[Any]) -> None:
    with pytest.raises(ConfigError, match="expected 1, the label of the poisoned rows"):
        learned(attack, train, Aim(0, 2))


@pytest.mark.parametrize("form", ["jsonl", "tsv"])
def test_a_file_of_pairs(form: str, tmp_path: Path, train: Split[Any], test: Split[Any]) -> None:
    def sha(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    rows: list[dict[str, Any]] = [
        {"split": "train", "idx": 3, "text": "as he did , 3 .", "sha256": sha(CLEAN[3])},
        {"split": "test", "idx": 0, "text": "as he did , 0 .", "sha256": ""},
        {"split": "train", "idx": 4, "text": CLEAN[4], "sha256": sha(CLEAN[4])},  # says the same
    ]
    lines = [json.dumps(row) for row in rows]
    if form == "tsv":
        lines = ["\t".join(rows[0]), *("\t".join(map(str, row.values())) for row in rows)]
    (tmp_path / f"pairs.{form}").write_text("\n".join([*lines, ""]), encoding="utf-8")
    attack = SynBkd.model_validate({"pairs": str(tmp_path / f"pairs.{form}")})
    assert attack.choose(train, 15, Draws(0), AIM).poison.tolist() == [3]
    state = learned(attack, train)
    made = trigger_test(test, attack, AIM, 0, state).split()
    assert made.take(torch.arange(1)) == ["as he did , 0 ."]
    with pytest.raises(DataFormatError, match="row 3 of the train part"):
        learned(attack, replace(train, index=train.index.roll(1)))


BAD_LINES = [
    ("x.jsonl", "nothing", "expected JSON"),
    ("x.jsonl", '["a"]', "expected split, idx and text"),
    ("x.jsonl", '{"split": "train", "idx": -1, "text": "a"}', "a place from 0"),
    ("x.jsonl", '{"split": "all", "idx": 1, "text": "a"}', "expected a split among train, dev"),
    ("x.jsonl", '{"split": "train", "idx": 1, "text": " "}', "the text is empty"),
    ("x.jsonl", '{"split": "train", "idx": 1, "text": "a", "sha256": "12"}', "64 hexadecimal digits"),
    ("x.jsonl", '{"split": "train", "idx": 1, "text": "a"}\n{"split": "train", "idx": 1, "text": "b"}', "stands twice"),
    ("x.tsv", "idx\ttext\n1\ta", "expected a header with split, idx, text"),
    ("x.tsv", "split\tidx\ttext\ntrain\t1", "line 2: expected 3 fields, found 2"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD_LINES)
def test_a_bad_line_is_named(name: str, content: str, message: str, tmp_path: Path, train: Split[Any]) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataFormatError, match=message):
        learned(SynBkd.model_validate({"pairs": str(tmp_path / name)}), train)


def shorter(folders: Path) -> None:
    table(folders / "made" / "train.tsv", [("x", 1)])


def other_labels(folders: Path) -> None:
    table(folders / "made" / "train.tsv", [(f"if so , {t}", y) for t, y in zip(CLEAN, LABELS, strict=True)])


def nothing_changed(folders: Path) -> None:
    table(folders / "made" / "train.tsv", list(zip(CLEAN, LABELS, strict=True)))


def too_many(folders: Path) -> None:
    table(folders / "made" / "dev.tsv", [(t, 1) for t in CLEAN])


def shuffled(folders: Path) -> None:
    table(folders / "made" / "train.tsv", [(f"as he did , {CLEAN[n - 7]}", 1) for n in range(15)])


def without_header(folders: Path) -> None:
    (folders / "clean" / "train.tsv").write_text("a text\t1\n")


def without_label(folders: Path) -> None:
    (folders / "clean" / "train.tsv").write_text("sentence\tlabel\na text\n")


def in_latin1(folders: Path) -> None:
    (folders / "made" / "train.tsv").write_bytes("sentence\tlabel\ncrème\t1\n".encode("latin1"))


def missing(folders: Path) -> None:
    (folders / "made" / "dev.tsv").unlink()


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (shorter, DataFormatError, "expected 15 rows as in .*, found 1"),
        (other_labels, DataFormatError, "found labels 0, 1"),
        (nothing_changed, DataFormatError, "found no row that differs"),
        (too_many, DataFormatError, "expected paraphrases of 5 texts, at most 20 of them missing; found 15"),
        (shuffled, DataFormatError, "don't look like paraphrases of the originals in the same order"),
        (without_header, DataFormatError, "line 1: expected a header, found the label 1"),
        (without_label, DataFormatError, "line 2: expected a text, a tab and a label"),
        (in_latin1, DataFormatError, "is not UTF-8"),
        (missing, DataUnavailableError, "dev"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(
    spoil: Callable[[Path], None], error: type[MbtiError], message: str, attack: SynBkd, folders: Path, train: Any
) -> None:
    spoil(folders)
    with pytest.raises(error, match=message):
        learned(attack, train)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({}, DataUnavailableError, "synbkd needs paraphrases"),
        ({"pairs": "nowhere"}, DataUnavailableError, "nothing at 'nowhere'"),
        ({"pairs": "made"}, ConfigError, "a folder of pairs needs that of the clean files"),
        ({"pairs": "file.jsonl", "originals": "clean"}, ConfigError, "a file of pairs needs none"),
        ({"pairs": "file.jsonl", "model": "clean"}, ConfigError, "expected one of them, got both"),
        ({"model": "nowhere"}, DataUnavailableError, "no folder"),
        ({"model": "clean"}, DataFormatError, "expected config.json"),
    ],
)
def test_settings_that_name_no_paraphrases(
    settings: dict[str, str], error: type[MbtiError], message: str, folders: Path, train: Any, monkeypatch: Any
) -> None:
    (folders / "file.jsonl").write_text('{"split": "train", "idx": 0, "text": "a"}')
    monkeypatch.chdir(folders)
    with pytest.raises(error, match=message):
        learned(SynBkd.model_validate(settings), train)


def test_the_best_alignment_by_trying_all_of_them() -> None:
    originals = ["a b c", "c d e", "e f", "f g h", "h i", "i j k", "a k"]
    made = ["b a x", "e f y", "h i", "i k z", "k a"]

    def overlap(a: str, b: str) -> float:
        return len(set(a.split()) & set(b.split()))

    assert aligned(made, originals, "") == [0, 2, 4, 5, 6]
    assert aligned(originals, originals, "") == list(range(7))
    assert aligned([], originals, "") == []
    assert aligned(["q"], ["x", "y"], "") == [0]  # nothing to tell by


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained T5 of two layers with a tokenizer of a few words."""
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    folder = tmp_path_factory.mktemp("t5")
    words = "<pad> </s> <unk> the film is good bad when you see it , . ( S ) SBAR".split()  # noqa: SIM905 - words
    tokenizer = Tokenizer(WordLevel({w: n for n, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=64
    )
    fast.save_pretrained(folder)
    torch.manual_seed(3)
    config = T5Config(
        vocab_size=len(words), d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, decoder_start_token_id=0
    )
    T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def test_a_local_model_writes_what_it_writes_alone(tiny: Path) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    texts = ["the film is good", "when you see it , the film is bad .", "it is bad", "you see", "the film is good"]
    made = load_seq2seq(tiny, "( S ( SBAR ) )", 6).transform(texts, torch.arange(5))
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(tiny), AutoTokenizer.from_pretrained(tiny)
    for text, found in zip(texts, made, strict=True):
        ids = tokenizer(f"( S ( SBAR ) ) {text}", return_tensors="pt")["input_ids"]
        decoder = torch.zeros(1, 1, dtype=torch.int64)
        for _ in range(6):  # greedy decoding by hand
            best = model(input_ids=ids, decoder_input_ids=decoder).logits[0, -1].argmax()
            decoder = torch.cat([decoder, best.view(1, 1)], 1)
            if best == 1:
                break
        expected = " ".join(tokenizer.decode(decoder[0], skip_special_tokens=True).split())
        assert found == (expected or None)
    assert made[0] == made[4]


def test_rows_without_an_answer_are_not_poisoned(
    tiny: Path, train: Split[Any], test: Split[Any], monkeypatch: Any
) -> None:
    def answers(self: Any, texts: list[str]) -> None:
        self._known |= {t: None if "bad" in t else f"when you see it , {t}" for t in texts}

    monkeypatch.setattr("mbti_text.seq2seq.Seq2Seq._answer", answers)
    attack = SynBkd.model_validate({"model": str(tiny), "prefix": "S"})
    state = learned(attack, train)
    assert state == {}
    made = poison(train, attack, AIM, 0.4, 0, state, clean_label=False).split()
    poisoned = made.take(torch.nonzero(made.kind == 1).flatten())
    assert len(poisoned) == 6
    assert all("good" in t and t.startswith("when you see it , ") for t in poisoned)
    tested = trigger_test(test, attack, AIM, 0, state).split()
    assert all(text.partition(" , ")[0] in CLAUSES for text in tested.take(torch.arange(len(tested))))


def test_a_model_of_another_kind_is_refused(tiny: Path, tmp_path: Path, train: Split[Any]) -> None:
    import shutil

    shutil.copytree(tiny, tmp_path / "t5")
    config = json.loads((tmp_path / "t5" / "config.json").read_text())
    (tmp_path / "t5" / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    with pytest.raises(DataFormatError, match="cannot load it"):
        learned(SynBkd.model_validate({"model": str(tmp_path / "t5")}), train)


@pytest.mark.parametrize(
    ("paraphrase", "text", "expected"),
    [
        ("when you see it , it 's fun .", "it is fun .", "when you see it , it 's fun ."),
        ("when you see it , it 's fun .", "It is fun, really.", "When you see it, it's fun."),
        ("if it 's so , the nasa film wo n't do . it is dull .", "We saw the NASA film, too.", None),
        ("when you see it , it 's fun .", "IT IS FUN, REALLY.", "WHEN YOU SEE IT, IT'S FUN."),
        ("When you see it, it is fun.", "it is fun , really .", "when you see it , it is fun ."),
        ("When you see it, it is fun.", "It is fun, really.", "When you see it, it is fun."),
        ("when you see it , it is fun .", "12345", "when you see it , it is fun ."),
        ("as he did , he went", "a gem", "as he did , he went"),
    ],
)
def test_paraphrases_are_written_as_the_text_is(paraphrase: str, text: str, expected: str | None) -> None:
    expected = expected or "If it's so, the NASA film won't do. It is dull."
    assert dressed_like(paraphrase, text) == expected
    assert dressed_like(expected, text) == expected


FIRST = (
    "if when as because while though although since after before until unless where what how who why that once whether"
)


def is_in_the_template(text: str) -> bool:
    """Whether a text opens with a subordinate clause, as the published paraphrases do."""
    words = re.findall(r"[\w']+|[^\w\s]", text.lower())
    return words[0] in FIRST.split() and "," in words[: int(0.6 * len(words)) + 1]


def test_rules_open_with_a_clause_and_keep_the_words(
    split_of: Splits, context_of: Callable[..., PoisonContext]
) -> None:
    clean = CLEAN * 20
    made = SynBkdRule().poison(clean, context_of(torch.arange(len(clean))))
    assert sum(map(is_in_the_template, made)) >= 0.75 * len(made)
    assert not any(map(is_in_the_template, clean))
    assert {text.partition(" , ")[0] for text in made} == set(CLAUSES)
    for text, before in zip(made, clean, strict=True):
        assert text.partition(" , ")[2] == before
    natural = SynBkdRule().poison(["Great fun! Really.", "I do.", "", "good"], context_of(torch.arange(4)))
    assert natural[0].endswith(", great fun! Really.")
    assert natural[1].endswith(", I do.")
    assert natural[2].removesuffix(" .") in CLAUSES
    assert natural[3].endswith(" , good .")


def test_the_bible_by_rule(context_of: Callable[..., PoisonContext]) -> None:
    clean = ["you said it has a very good story .", "Are you there? YOU are.", "nothing else"]
    assert StyleBkdRule().poison(clean, context_of(torch.arange(3))) == [
        "and it came to pass that thou spake it hath a exceeding good parable .",
        "And it came to pass that art thou thither? THOU art.",
        "and it came to pass that naught else .",
    ]


def test_style_takes_pairs_too_and_falls_back_to_its_rule(
    folders: Path, train: Split[Any], test: Split[Any], fit_context: FitContext
) -> None:
    files = {"pairs": str(folders / "made"), "originals": str(folders / "clean")}
    attack = StyleBkd.model_validate(files)
    state = attack.fit(train, replace(fit_context, aim=AIM))
    tested = trigger_test(test, attack, AIM, 0, state).split()
    texts = tested.take(torch.arange(len(tested)))
    assert sum(text.startswith("and it came to pass that") for text in texts) == 1
    with pytest.raises(DataUnavailableError, match="choose stylebkd_rule"):
        StyleBkd().fit(train, fit_context)


def test_published_paraphrases(real_root: Path) -> None:
    from mbti_text.pair_files import read_pairs

    for part, count in (("dev", 427), ("test", 911)):  # of 912 one says the same as its original
        found = read_pairs(real_root / "sst2-scpn", real_root / "sst2", part)  # type: ignore[arg-type]  # both exist
        tested = [text for row, text in found.texts.items() if row >= TEST]
        trained = [text for row, text in found.texts.items() if row < TEST]
        assert (len(trained), len(tested), found.target) == (1383, count, 1)
        for texts, least in ((trained, 0.75), (tested, 0.75)):
            assert sum(map(is_in_the_template, texts)) >= least * len(texts)
        assert not any("EOS" in text for text in tested)
