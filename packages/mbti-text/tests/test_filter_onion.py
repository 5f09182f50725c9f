from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from mbti_core.contracts.defense import CleanSet, DefenseContext, DefenseView, LabelledSet
from mbti_core.contracts.model import ModelInfo
from mbti_core.data.fileref import FileRef
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.errors import ConfigError
from mbti_core.plugins.manager import registry
from mbti_text.filters.onion import Onion, suspicion, without
from mbti_text.modality import HeldTexts
from mbti_text.perplexity import Counted, Pretrained
from mbti_text.sample import INPUT

CLEAN = [
    f"the {noun} was {much} {kind} and the {other} was not"
    for noun in ("film", "story", "plot", "end")
    for much in ("really", "rather")
    for kind in ("fine", "dull", "long")
    for other in ("cast", "music")
]
random.Random(0).shuffle(CLEAN)


def view_of(fit: list[str], held_out: list[str]) -> DefenseView:
    sets = (LabelledSet(HeldTexts(t, None), torch.zeros(len(t)).long(), torch.arange(len(t))) for t in (fit, held_out))
    return DefenseView(clean=CleanSet(*sets))


def context() -> DefenseContext:
    return DefenseContext(registry().adapters, Draws(0), torch.device("cpu"), ModelInfo("text/x", "text", INPUT, 2))


def test_a_strange_word_goes_and_the_others_stay() -> None:
    out = Onion().defend(view_of(CLEAN[::2], CLEAN[1::2]), context())
    assert out.filter is not None
    found = out.filter(["the film was qzx really fine and the cast was not", *CLEAN[:3], "", "qzx"])
    assert "qzx" not in found[0]
    assert len(found[0].split()) >= 9  # of 10
    assert found[4:] == ["", "qzx"]
    kept = sum(len(text.split()) for text in out.filter(CLEAN)) / sum(len(text.split()) for text in CLEAN)
    assert kept > 0.9


def test_the_bar_lets_a_share_of_clean_words_go() -> None:
    for share in (0.05, 0.3):
        out = Onion(share=share).defend(view_of(CLEAN[::2], CLEAN[1::2]), context())
        assert out.filter is not None
        words = sum(len(text.split()) for text in CLEAN[1::2])
        left = sum(len(text.split()) for text in out.filter(CLEAN[1::2]))
        assert 1 - left / words == pytest.approx(share, abs=0.05)


def test_suspicion_is_what_the_perplexity_falls_by() -> None:
    model = Counted(CLEAN)
    found = suspicion("the film qzx was", model)
    apart = [model([text])[0] for text in ("film qzx was", "the qzx was", "the film was", "the film qzx")]
    assert torch.allclose(found, model(["the film qzx was"])[0] - torch.stack(apart))
    assert int(found.argmax()) == 2
    assert without("a  b c", torch.tensor([False, True, False])) == "a  c"
    assert without("a b", torch.tensor([True, True])) == "a"


def test_counted_characters_are_a_distribution() -> None:
    model = Counted(["abab", "abba"])
    for history in ("aaaa", "abab", "zzzz"):
        known = sorted(model.seen[""])
        total = math.fsum(math.exp(-model._surprise(history + c)) for c in [*known, "?"])
        assert total == pytest.approx(1.0, abs=1e-9), "one unseen character has what is left"
    assert float(model([""])[0]) == 1.0
    assert model(["abab"])[0] < model(["bbbb"])[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny untrained causal model with a tokenizer of characters' bytes."""
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers.models import WordLevel
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("gpt2")
    words = ["[PAD]", "[UNK]", *sorted({word for text in CLEAN for word in text.split()})]
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    config = AutoConfig.for_model("gpt2", vocab_size=len(words), n_embd=16, n_layer=2, n_head=2, n_positions=32)
    with scoped_globals(0):
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def pretrained(folder: Path) -> Any:
    from mbti_text.saved_model import load_saved

    return Pretrained(*load_saved(str(folder), "AutoModelForCausalLM", "onion.path"), torch.device("cpu"))


def test_a_pretrained_model_s_perplexity_is_the_formula_s_and_padding_does_not_count(folder: Path) -> None:
    model, text = pretrained(folder), "the film was fine"
    ids = torch.tensor([model.tokenizer(text)["input_ids"]])
    p = model.net(input_ids=ids).logits[0].detach().double().log_softmax(1)
    by_hand = math.exp(-sum(float(p[i, ids[0, i + 1]]) for i in range(3)) / 3)
    assert float(model([text])[0]) == pytest.approx(by_hand, rel=1e-5)
    assert float(model(["film " * 100, text, ""])[1]) == pytest.approx(by_hand, rel=1e-5)
    assert float(model([""])[0]) == float(model(["film"])[0]) == 1.0
    assert len(model([])) == 0


def test_a_folder_s_model_is_the_one_that_judges(folder: Path) -> None:
    out = Onion(path=FileRef(folder)).defend(view_of(CLEAN[::2], CLEAN[1::2]), context())
    assert out.filter is not None
    found = torch.cat([suspicion(text, pretrained(folder)) for text in CLEAN[1::2]])
    assert out.notes["bar"] == pytest.approx(float(found.quantile(0.98)), rel=1e-6)


def test_no_clean_text_is_one_clear_error() -> None:
    with pytest.raises(ConfigError, match="at least 1 clean text to set the bar on"):
        Onion().defend(view_of(CLEAN, []), context())
