"""Bad input gives one clear error: what, where, what to do, the documented exit code, and nothing half-written."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import rich.style  # noqa: F401 - draws from the global generator when it is first imported

from mbti_core.cli import main
from mbti_core.engine.store import Store
from mbti_core.plugins.manager import registry

SPEC = """\
schema: 1
modality: image
dataset: {name: digits, train: 200, test: 100}
attack:
  name: badnets
  ratio: 0.1
  target: 0
  size: 3
model: {name: cnn}
train: {epochs: 1}
defenses:
  - {name: ft}
"""


class Refusal(NamedTuple):
    """A command that failed: its exit code, the lines of its message, and what it said to do."""

    code: int
    message: list[str]
    hint: str


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Refusal]]:
    """Call ``mbti``, which must refuse; say how. The working folder holds ``run.yaml`` and, in the end, no artifact."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MBTI_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("MBTI_STORE", raising=False)
    Path("run.yaml").write_text(SPEC)
    registry.cache_clear()

    def call(*words: str) -> Refusal:
        code = main(words)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        store = Store(Path("runs"))
        assert store.parts() == []
        assert list(store.artifacts()) == []
        assert out == ""
        first, *rest = err.rstrip("\n").split("\n")
        assert first.startswith("error: ")
        assert err.count("error: ") == 1
        hint = rest.pop() if rest and rest[-1].startswith("  ") else ""
        return Refusal(code, [first.removeprefix("error: "), *rest], hint.strip())

    yield call
    registry.cache_clear()


def changed(old: str, new: str) -> str:
    assert old in SPEC
    Path("run.yaml").write_text(SPEC.replace(old, new))
    return "run.yaml"


Refused = Callable[..., Refusal]


@pytest.mark.parametrize("command", ["run", "sweep", "validate"])
def test_malformed_yaml(refused: Refused, command: str) -> None:
    said = refused(command, changed("  ratio: 0.1", "\tratio: 0.1"))
    assert said.code == 2
    assert said.message == ["run.yaml:6:1: found character '\\t' that cannot start any token."]
    assert said.hint.startswith("Correct the YAML there")


def test_a_key_written_twice(refused: Refused) -> None:
    said = refused("run", changed("  target: 0", "  ratio: 0.2"))
    assert said.code == 2
    assert said.message[0].startswith('run.yaml:7:3: found duplicate key "ratio"')


def test_no_spec_file(refused: Refused) -> None:
    said = refused("run", "rum.yaml")
    assert (said.code, said.message) == (2, ["There is no spec file 'rum.yaml'."])
    assert "digits" in said.hint


def test_a_spec_of_a_newer_schema(refused: Refused) -> None:
    said = refused("run", changed("schema: 1", "schema: 2"))
    assert (said.code, said.message) == (2, ["run.yaml:1: schema: expected at most 1, got 2."])
    assert said.hint.startswith("Update mbti-core")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  size: 3", "  sice: 3", "run.yaml:8: attack.sice: unknown key. Did you mean size?"),
        ("defenses:", "defences:", "run.yaml:11: defences: unknown key. Did you mean defenses?"),
        ("epochs: 1", "epoch: 1", "run.yaml:10: train.epoch: unknown key. Did you mean epochs?"),
        ("{name: ft}", "{name: ft, epoch: 1}", "run.yaml:12: defenses.0.epoch: unknown key. Did you mean epochs?"),
        ("  size: 3", "  size: three", "run.yaml:8: attack.size: expected an integer, got 'three'."),
        ("  size: 3", "  size: 0", "run.yaml:8: attack.size: expected an integer above 0, got 0."),
        ("  size: 3", "  size: 2.5", "run.yaml:8: attack.size: expected an integer, got 2.5."),
        ("epochs: 1", "augment: maybe", "run.yaml:10: train.augment: expected true or false or a number, got 'maybe'."),
        ("epochs: 1", "optimizer: sdg", "run.yaml:10: train.optimizer: expected 'sgd', 'adam' or 'adamw', got 'sdg'."),
        ("{epochs: 1}", "3", "run.yaml:10: train: expected a mapping, got 3."),
        ("  ratio: 0.1", "  ratio: 0", "run.yaml:6: attack.ratio: expected a number above 0, got 0."),
        ("  ratio: 0.1", "  ratio: -0.1", "run.yaml:6: attack.ratio: expected a number above 0, got -0.1."),
        ("  ratio: 0.1", "  ratio: 1.5", "run.yaml:6: attack.ratio: expected a number of at most 1, got 1.5."),
        ("  ratio: 0.1", "  ratio: .nan", "run.yaml:6: attack.ratio: expected a number"),
        (
            "  target: 0",
            "  target: 10",
            "run.yaml:7: attack.target: expected a class of digits, an integer from 0 to 9, got 10.",
        ),
        (
            "  target: 0",
            "  target: all",
            "run.yaml:7: attack.target: expected an integer or a list or 'all-to-all', got 'all'.",
        ),
        ("schema: 1", "seeds: some", "run.yaml:1: seeds: expected integers of at least 0, as [0, 1, 2] or '0-4', got"),
        ("train: {epochs: 1}", "grid: {attack.ratio: 3}", "run.yaml:10: grid.attack.ratio: expected a list"),
        (
            "train: {epochs: 1}",
            "grid: {attack.ratio: [2]}",
            "run.yaml:10: grid.attack.ratio: expected a number of at most",
        ),
        ("model: {name: cnn}", "", "run.yaml:1: model: missing; this key is required."),
    ],
)
def test_a_key_or_value_that_is_not_valid(refused: Refused, old: str, new: str, message: str) -> None:
    for command in ("run", "validate"):
        said = refused(command, changed(old, new))
        assert said.code == 2
        assert len(said.message) == 1
        assert said.message[0].startswith(message)


def test_all_mistakes_at_once(refused: Refused) -> None:
    Path("run.yaml").write_text(
        SPEC.replace("ratio: 0.1", "ratio: 2").replace("size: 3", "size: 0").replace("1}", "0}")
    )
    said = refused("run", "run.yaml", "--set", "attack.value=-1")
    assert said.code == 2
    assert {line.split(": ")[0] for line in said.message} == {
        "run.yaml:6",
        "run.yaml:8",
        "run.yaml:10",
        "--set attack.value",
    }
    assert said.hint == "Run 'mbti show attack badnets --modality image' for its settings."


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "attack.ratio"], "--set attack.ratio: expected KEY.PATH=VALUE."),
        (["--set", "attack.ratio=2"], "--set attack.ratio: expected a number of at most 1, got 2."),
        (["--set", "atack.ratio=2"], "--set atack.ratio: atack: unknown key. Did you mean attack?"),
        (["--set", "attack.size=[1"], "--set attack.size:1:3: "),
        (["--set", "attack.ratio.x=1"], "--set attack.ratio.x: attack.ratio is 0.1, which has no keys."),
        (["--seeds", "x"], "--seeds: seeds: expected integers of at least 0"),
        (["--device", "gpu"], "--device: expected auto or one of cpu"),
        (["--executor", "seriel"], "--executor: there is none called 'seriel'."),
        (["--force", "trian"], "--force: there is no stage called 'trian'."),
        (["--threads", "0"], "Invalid value for '--threads': "),
    ],
)
def test_a_word_on_the_command_line_that_is_not_valid(refused: Refused, words: list[str], message: str) -> None:
    said = refused("run", "run.yaml", *words)
    assert said.code == 2
    assert said.message[0].startswith(message)
    assert said.hint or "Did you mean" in said.message[0] or "seeds" in said.message[0]


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["--attack", "badnet"], "No attack for image is called 'badnet'.", "Did you mean badnets"),
        (["--dataset", "digit"], "No dataset for image is called 'digit'.", "Did you mean digits?"),
        (["--model", "cn"], "No model for image is called 'cn'.", "Did you mean cnn?"),
        (["--defense", "strp"], "No defense for image is called 'strp'.", "Did you mean strip?"),
        (["--noise", "mislable"], "No noise for image is called 'mislable'.", "Did you mean mislabel?"),
        (["--attack", "qqq"], "No attack for image is called 'qqq'.", "Run 'mbti list attacks'."),
    ],
)
def test_an_unknown_component_gets_near_names(refused: Refused, words: list[str], message: str, hint: str) -> None:
    said = refused("run", "run.yaml", *words)
    assert (said.code, said.message) == (3, [message])
    assert said.hint.startswith(hint)
    assert refused("validate", changed("badnets", "badnet")).code == 3


def test_a_package_that_is_not_installed(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mbti_core.plugins.manager.entry_points", lambda group: [])
    registry.cache_clear()
    said = refused("run", "run.yaml")
    assert (said.code, said.message) == (3, ["The modality 'image' needs the package mbti-image."])
    assert said.hint == "pip install mbti-image"


def test_a_missing_data_folder(refused: Refused) -> None:
    said = refused("run", "run.yaml", "--dataset", "cifar10")
    assert said.code == 4
    assert said.message[0].startswith(f"cifar10 is not in {Path('data').absolute() / 'cifar10'}")
    assert "--data-root or MBTI_DATA" in said.hint
    assert "nowhere" in refused("run", "run.yaml", "--dataset", "cifar10", "--data-root", "nowhere").message[0]


def test_missing_weights(refused: Refused) -> None:
    said = refused("run", "run.yaml", "--set", "model.weights=absent.safetensors")
    assert (said.code, said.message) == (4, ["There is no file or folder 'absent.safetensors'."])


def test_a_data_root_without_permission(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Any = ".") -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", forbidden)  # root may read everything, so no mode would do
    said = refused("run", "run.yaml", "--dataset", "cifar10")
    assert said.code == 4
    assert said.message[0].endswith("may not be read: permission denied.")
    assert "chmod" in said.hint


@pytest.fixture
def parquet(refused: Refused) -> Path:
    """A data root with a tiny CIFAR-10 in the hub's layout; return the file of the training part."""
    from mbti_image.datasets.cifar10 import Cifar10

    changed("train: 200, test: 100", "train: 40, test: 20")
    Path("data").mkdir()
    Cifar10().fixture(Path("data"))
    return next(Path("data").rglob("train-*.parquet"))


def test_a_truncated_parquet_file(refused: Refused, parquet: Path) -> None:
    parquet.write_bytes(parquet.read_bytes()[:-100])
    said = refused("run", "run.yaml", "--dataset", "cifar10", "--no-report")
    assert said.code == 4
    assert str(parquet) in said.message[0]


def test_a_corrupt_image(refused: Refused, parquet: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(parquet)
    rows = table.to_pylist()
    rows[7]["img"]["bytes"] = b"no picture"
    pq.write_table(type(table).from_pylist(rows, table.schema), parquet)
    said = refused("run", "run.yaml", "--dataset", "cifar10", "--no-report")
    assert said.code == 4
    assert str(parquet) in said.message[0]
    assert "7" in said.message[0]


@pytest.mark.parametrize("kept", [0, 50])
def test_a_damaged_picture_in_a_folder(refused: Refused, kept: int) -> None:
    from mbti_image.datasets.imagefolder import ImageFolder

    changed(", train: 200, test: 100", "")
    Path("data").mkdir()
    ImageFolder().fixture(Path("data"))
    file = Path("data").absolute() / "imagefolder" / "train" / "dark" / "07.jpg"
    file.write_bytes(file.read_bytes()[:kept])
    said = refused("run", "run.yaml", "--dataset", "imagefolder", "--no-report")
    assert said.code == 4
    assert said.message[0].startswith(f"prepare imagefolder: {file} does not hold a picture that can be decoded")


def test_a_target_that_the_folders_do_not_have(refused: Refused) -> None:
    from mbti_image.datasets.imagefolder import ImageFolder

    Path("data").mkdir()
    ImageFolder().fixture(Path("data"))
    said = refused("run", "run.yaml", "--dataset", "imagefolder", "--set", "attack.target=2")
    assert said.code == 2
    assert said.message == ["attack.target: expected a class of imagefolder, an integer from 0 to 1, got 2."]


def test_a_batch_file_that_smuggles_code(refused: Refused) -> None:
    class Smuggler:
        def __reduce__(self) -> Any:
            return (Path.touch, (Path("smuggled"),))

    folder = Path("data/cifar10/cifar-10-batches-py")
    folder.mkdir(parents=True)
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        (folder / name).write_bytes(pickle.dumps({b"data": Smuggler(), b"labels": [0]}))
    said = refused("run", "run.yaml", "--dataset", "cifar10", "--no-report")
    assert said.code == 4
    assert str(folder / "data_batch_1") in said.message[0]
    assert not Path("smuggled").exists()


def test_a_store_that_cannot_be_written(refused: Refused) -> None:
    Path("taken").write_text("a file")
    said = refused("run", "run.yaml", "--store", "taken/runs")
    assert said.code == 1
    assert said.message[0].startswith("The store taken/runs cannot be written: Not a directory.")
    assert said.hint == "Choose another folder with --store."
