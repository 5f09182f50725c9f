"""Pretrained classifiers by local folder: tiny ones of each family, made here; and every folder that is refused."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mbti_core.contracts.model import ModelInfo
from mbti_core.data.fileref import FileRef
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.errors import ConfigError, DataFormatError, DataUnavailableError
from mbti_text.models import pretrained
from mbti_text.sample import INPUT
from mbti_text.tokens import TextModel, TokenBatch
from mbti_text.trigger_space import trigger_space

INFO = ModelInfo("text/bert", "text", INPUT, 4)
WORDS = ["a", "fine", "film", "bad", "really", ",", "##ly", "cf"]
TEXTS = ["a fine film , really", "bad", "", "fine " * 50]
FAMILIES = ("bert", "roberta", "distilbert", "albert", "gpt2")


def save(family: str, folder: Path) -> Path:
    """Save a tiny untrained body of a family with a tokenizer of a few words."""
    from tokenizers import Tokenizer, pre_tokenizers, processors
    from tokenizers.models import WordPiece
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer = Tokenizer(WordPiece({w: i for i, w in enumerate(special + WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if family != "gpt2":
        tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    sizes: dict[str, Any] = {
        "distilbert": {"dim": 16, "hidden_dim": 32, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 32},
        "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "pad_token_id": 0},
    }
    usual = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    usual |= {"max_position_embeddings": 32} | ({"embedding_size": 8} if family == "albert" else {})
    config = AutoConfig.for_model(family, vocab_size=len(special + WORDS), **sizes.get(family, usual))
    with scoped_globals(0):
        AutoModel.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {family: save(family, tmp_path_factory.mktemp(family)) for family in FAMILIES}


@pytest.fixture
def bert(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(folders["bert"], tmp_path / "bert"))


def load(family: str, folder: Path, **settings: Any) -> TextModel:
    with scoped_globals(1):
        model = getattr(pretrained, family)(INFO, path=FileRef(str(folder)), **settings)
    assert isinstance(model, TextModel)
    return model.eval()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_answers_row_by_row(family: str, folders: dict[str, Path]) -> None:
    model = load(family, folders[family])
    with torch.no_grad():
        together, alone = model(TEXTS), torch.cat([model([text]) for text in TEXTS])
        layers = model.layer_logits(model.encode(TEXTS))
    assert together.shape == (4, 4)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert layers.shape == (3, 4, 4)
    assert torch.equal(layers[-1], together)


@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_stand_in_for_tokens(family: str, folders: dict[str, Path]) -> None:
    model = load(family, folders[family])
    table = model.table()
    batch = model.encode(TEXTS[:2])
    with torch.no_grad():
        found = model(TokenBatch(batch.ids, batch.mask, table(batch.ids)))
        torch.testing.assert_close(found, model(batch), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_layer_gets_a_gradient_from_its_own_term(family: str, folders: dict[str, Path]) -> None:
    model = load(family, folders[family])
    first = model.layer_logits(model.encode(TEXTS[:2]))[0].sum()
    table = model.table()
    (slope,) = torch.autograd.grad(first, table.weight)
    assert bool(slope.any())


def test_the_longest_text_fits_the_positions(folders: dict[str, Path]) -> None:
    lengths = {f: load(f, folders[f]).encode([TEXTS[3]]).ids.shape[1] for f in FAMILIES}
    assert lengths == {"bert": 32, "roberta": 30, "distilbert": 32, "albert": 32, "gpt2": 32}
    assert load("bert", folders["bert"], max_tokens=7).encode([TEXTS[3]]).ids.shape == (1, 7)


def test_huggingface_takes_any_and_checkpointing_changes_no_gradient(folders: dict[str, Path]) -> None:
    grads = []
    for checkpointing in (False, True):
        model = load("huggingface", folders["bert"], checkpointing=checkpointing).train()
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        model(TEXTS).sum().backward()
        grads.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    torch.testing.assert_close(*grads)


def test_weights_come_from_the_folder_and_the_head_from_the_seed(folders: dict[str, Path]) -> None:
    from safetensors.torch import load_file

    model, saved = load("bert", folders["bert"]), load_file(folders["bert"] / "model.safetensors")
    state = model.state_dict()
    assert torch.equal(state["net.bert.embeddings.word_embeddings.weight"], saved["embeddings.word_embeddings.weight"])
    assert torch.equal(
        state["net.classifier.weight"], load("bert", folders["bert"]).state_dict()["net.classifier.weight"]
    )


def test_a_model_must_be_named() -> None:
    with pytest.raises(ConfigError, match=r"needs a model.*\n.*model.path"):
        pretrained.huggingface(INFO)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match="There is no folder"):
        load("bert", tmp_path / "nothing")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", "expected config.json"),
        ("tokenizer.json", "expected a tokenizer"),
        ("model.safetensors", "cannot load it"),
    ],
)
def test_a_missing_file(bert: Path, name: str, message: str) -> None:
    (bert / name).unlink()
    with pytest.raises(DataFormatError, match=message):
        load("bert", bert)


def test_a_damaged_description(bert: Path) -> None:
    (bert / "config.json").write_text("{")
    with pytest.raises(DataFormatError, match=r"config.json: expected JSON"):
        load("bert", bert)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_in_the_folder_is_refused(bert: Path, name: str) -> None:
    told = json.loads((bert / name).read_text()) | {"auto_map": {"AutoModel": "evil.Evil"}}
    (bert / name).write_text(json.dumps(told))
    with pytest.raises(DataFormatError, match="never run"):
        load("bert", bert)


class Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (eval, ("1 / 0",))


def test_pickled_code_is_refused_and_plain_pickled_tensors_are_read(bert: Path) -> None:
    from safetensors.torch import load_file

    state = load_file(bert / "model.safetensors")
    (bert / "model.safetensors").unlink()
    torch.save(state, bert / "pytorch_model.bin")
    load("bert", bert)
    (bert / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": Evil()}, protocol=2))
    with pytest.raises(DataFormatError, match="cannot be read without running code"):
        load("bert", bert)


def test_a_tokenizer_that_does_not_fit(bert: Path, folders: dict[str, Path]) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folders["bert"])
    tokenizer.add_tokens([f"word{i}" for i in range(5)])
    tokenizer.save_pretrained(bert)
    with pytest.raises(DataFormatError, match="the tokenizer has 17 tokens, the model 12"):
        load("bert", bert)


@pytest.mark.parametrize("online", [False, True])
def test_a_hub_name_that_cannot_be_had_says_what_to_download(online: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi
    from transformers import AutoModelForSequenceClassification

    asked = []

    def answer(self: Any, name: str, **kwargs: Any) -> None:
        if not online:
            raise ConnectionError("Name or service not known")

    def refuse(*args: Any, local_files_only: bool, **kwargs: Any) -> Any:
        asked.append(local_files_only)
        raise OSError("We couldn't connect to the hub")

    monkeypatch.setattr(HfApi, "model_info", answer)
    monkeypatch.setattr(AutoModelForSequenceClassification, "from_pretrained", refuse)
    with pytest.raises(
        DataUnavailableError, match=r"not in the hub's cache.*\n.*hf download google-bert/bert-base-uncased"
    ):
        pretrained.bert(INFO)
    assert asked == [not online]


def test_words_that_the_tokenizer_knows(folders: dict[str, Path]) -> None:
    model = load("bert", folders["bert"])
    assert model.knows("cf")
    assert not model.knows("mn")


@pytest.mark.parametrize("family", FAMILIES)
def test_soft_words_are_put_into_every_family(family: str, folders: dict[str, Path]) -> None:
    model = load(family, folders[family])
    space = trigger_space(model, "mask")
    assert space is not None
    assert {model.decode([token]) for token in space.typed.tolist()} == {w for w in WORDS if not w.startswith("##")}
    lifted = space.lift(model, TEXTS)
    with torch.no_grad():
        assert torch.allclose(space.logits(model, lifted), model(TEXTS), atol=1e-5)
        found = space.logits(model, space.apply(lifted, space.initial(Draws(0))))
    assert found.shape == (len(TEXTS), 4)
    assert found.isfinite().all()
