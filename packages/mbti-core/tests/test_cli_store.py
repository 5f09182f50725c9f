"""``mbti store`` and ``mbti results`` on a store made by hand."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mbti_core.engine.store import Store

Call = Callable[..., Any]
ROW = {"name": "mine", "dataset": "blobs", "model": "mlp", "attack": "stamp", "ratio": 0.1, "target": 0, "seed": "0"}
KEYS = {"prepare": "ab12", "train": "ab34", "evaluate": "cd56"}


@pytest.fixture
def store(mbti: Call) -> Store:
    """Return a store with a data set, a model that nothing needs, and one result."""
    found = Store(Path("runs"))

    def make(content: Any) -> Callable[[Path], dict[str, Any]]:
        def fill(folder: Path) -> dict[str, Any]:
            (folder / "row.json").write_text(json.dumps(content))
            return {}

        return fill

    row = {**ROW, "status": "ok", "defense": "none", "n_clean": 10, "clean_accuracy": 0.5, "asr": 1.0, "n_triggered": 8}
    found.build("prepare", KEYS["prepare"], {"label": "blobs", "inputs": {}}, make({}))
    found.build("train", KEYS["train"], {"label": "mlp on blobs", "inputs": {}}, make({}))
    inputs = {"prepare": f"prepare/{KEYS['prepare']}"}
    found.build("evaluate", KEYS["evaluate"], {"label": "mine", "inputs": inputs}, make(row))
    return found


def test_ls(mbti: Call, store: Store) -> None:
    answer = mbti("store", "ls")
    assert [line.split()[:2] for line in answer.out.splitlines() if line.strip()][2:] == [
        ["evaluate", "mine"],
        ["prepare", "blobs"],
        ["train", "mlp"],
    ]
    assert answer.err.startswith("3 artifacts, ")
    assert [a["key"] for a in mbti("store", "ls", "--json").json["artifacts"]] == ["cd56", "ab12", "ab34"]


def test_show_takes_the_first_digits_of_a_key(mbti: Call, store: Store) -> None:
    assert "label: mine\n" in mbti("store", "show", "cd").out
    assert mbti("store", "show", "train/ab", "--json").json["artifact"]["label"] == "mlp on blobs"
    answer = mbti("store", "show", "ab")
    assert answer.code == 2
    assert (
        answer.err
        == "error: 2 artifacts have keys that start with 'ab'.\n  Give more digits: prepare/ab12, train/ab34.\n"
    )
    assert mbti("store", "show", "ff").err.startswith("error: No artifact in runs has a key that starts with 'ff'.")


def test_verify_names_a_flipped_byte(mbti: Call, store: Store) -> None:
    assert mbti("store", "verify").code == 0
    file = store.folder("train", KEYS["train"]) / "row.json"
    file.write_text("[]")
    answer = mbti("store", "verify")
    assert answer.code == 1
    assert "train/ab/ab34/row.json: expected sha256" in answer.out
    assert answer.err.startswith("error: 1 files of 3 artifacts in runs are damaged.")
    answer = mbti("store", "verify", "--json")
    assert (answer.code, len(answer.json["problems"])) == (1, 1)


def test_gc_removes_what_no_result_stands_on(mbti: Call, store: Store) -> None:
    model = store.folder("train", KEYS["train"])
    answer = mbti("store", "gc", "--dry-run")
    assert answer.out == "train/ab/ab34\n"
    assert "would go" in answer.err
    assert model.exists()
    assert mbti("store", "gc", "--json").json["removed"] == [str(model)]
    assert not model.exists()
    assert [ref.stage for ref in store.artifacts()] == ["evaluate", "prepare"]


def test_what_a_dry_run_leaves_is_an_empty_store(mbti: Call) -> None:
    Path("home").mkdir()
    Path("home/digests.json").write_text("{}", encoding="utf-8")
    for words in (("store", "ls"), ("results",)):
        assert mbti(*words, "--store", "home").code == 0


def test_a_folder_that_is_no_store_is_left_alone(mbti: Call) -> None:
    Path("home/train/ab/.part-mine").mkdir(parents=True)
    for words in (("store", "gc"), ("store", "ls"), ("results",)):
        answer = mbti(*words, "--store", "home")
        assert answer.code == 2
        assert answer.err.startswith("error: home is no store: it holds no store.json.")
    assert Path("home/train/ab/.part-mine").exists()


def test_an_empty_store(mbti: Call) -> None:
    assert mbti("store", "ls").err == "0 artifacts, 0 B, in runs\n"
    assert mbti("results").err == "No results in runs. 'mbti run' makes some.\n"
    assert mbti("results", "--json").json["rows"] == []
    assert not Path("runs").exists()


def test_results_as_a_table_and_as_files(mbti: Call, store: Store) -> None:
    answer = mbti("results")
    assert answer.code == 0
    assert "stamp" in answer.out
    assert "50.0" in answer.out
    answer = mbti("results", "--csv", "out/a.csv", "--parquet", "a.parquet", "--markdown", "a.md")
    assert "| stamp" in Path("a.md").read_text()
    assert (answer.code, answer.out) == (0, "")
    with Path("out/a.csv").open() as stream:
        assert [row["asr"] for row in csv.DictReader(stream)] == ["1.0"]
    assert Path("a.parquet").read_bytes()[:4] == b"PAR1"


def test_results_where(mbti: Call, store: Store) -> None:
    for conditions, count in [(["attack=stamp"], 1), (["attack=stamp", "ratio=0.1"], 1), (["attack=other"], 0)]:
        words = [word for c in conditions for word in ("--where", c)]
        assert len(mbti("results", *words, "--json").json["rows"]) == count
    assert mbti("results", "--where", "attack=other").err == "No results with that in runs.\n"
    answer = mbti("results", "--where", "atack=stamp")
    assert (answer.code, answer.err) == (2, "error: Results have no key 'atack'.\n  Did you mean attack?\n")
    answer = mbti("results", "--where", "stamp")
    assert (answer.code, answer.err.splitlines()[0]) == (2, "error: --where: expected KEY=VALUE, got 'stamp'.")
