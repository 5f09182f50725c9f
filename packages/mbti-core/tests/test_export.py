"""``mbti export``: a poisoned split as files, on the toy modality."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from mbti_core.contracts.component import Component
from mbti_core.engine.plan import RunOptions, make_plan
from mbti_core.engine.specfile import load_spec
from mbti_core.engine.store import Store
from mbti_core.plugins.hookspecs import hookimpl
from mbti_core.plugins.manager import registry
from mbti_core.results import sample_files
from mbti_core.results.gallery import load_samples
from mbti_core.testing import toy

Call = Callable[..., Any]
SPEC = """\
schema: 1
modality: toy
dataset: {name: blobs, train: 100, test: 40}
attack: {name: stamp, ratio: 0.2, value: 200}
model: mlp
train: {epochs: 1}
"""


@pytest.fixture
def export(mbti: Call) -> Call:
    """Call ``mbti export`` beside a spec of one attack."""
    Path("run.yaml").write_text(SPEC)
    return lambda *words: mbti("export", *words)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "rows.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_is_a_file_in_the_folder_of_the_class_it_carries(export: Call) -> None:
    answer = export("run.yaml", "--output", "out/train")
    assert (answer.code, answer.err) == (0, "100 rows (stamp, 0.2 of training rows): out/train\n")
    rows = table(Path("out/train"))
    there = {str(p.relative_to("out/train")) for p in Path("out/train").rglob("*.bin")}
    assert {row["file"] for row in rows} == there
    assert len(rows) == len(there) == 100
    assert all(row["file"] == f"{row['label']}/{row['index']}.bin" for row in rows)
    poisoned = [row for row in rows if row["kind"] == "poisoned"]
    assert len(poisoned) == 20
    assert len({row["label"] for row in poisoned}) == 1
    assert all(row["label"] == row["truth"] for row in rows if row["kind"] == "clean")


def test_a_file_holds_the_sample_and_triggered_rows_their_trigger(export: Call) -> None:
    assert export("run.yaml", "--output", "out", "--role", "triggered").code == 0
    plan = make_plan(
        load_spec("run.yaml", registry(), []).resolve(registry()), registry(), RunOptions(Path("runs"), Path())
    )
    node = next(n for n in plan.nodes.values() if n.payload.get("role") == "triggered")
    samples = load_samples(node, Store(Path("runs")), registry(), 1000)
    files = {int(row["index"]): Path("out", row["file"]).read_bytes() for row in table(Path("out"))}
    assert sorted(files) == sorted(samples.index.tolist())
    for index, sample in zip(samples.index.tolist(), samples.changed, strict=True):
        found = torch.from_numpy(np.frombuffer(files[index], dtype=np.uint8).copy()).view_as(sample)
        assert torch.equal(found, sample)
        assert 200 in found


def test_one_document_says_what_was_written(export: Call) -> None:
    said = json.loads(export("run.yaml", "--output", "out", "--json").out)
    assert said["output"] == "out"
    assert said["rows"] == 100
    assert said["artifact"].startswith("poison/")


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_is_there_is_kept(export: Call, what: str) -> None:
    if what == "file":
        Path("out").write_text("mine")
    else:
        Path("out").mkdir()
        Path("out/mine").write_text("mine")
    answer = export("run.yaml", "--output", "out")
    assert answer.code == 2
    assert answer.err == "error: out is there already, and not empty.\n  Name a folder that is not there yet.\n"
    assert (Path("out") if what == "file" else Path("out/mine")).read_text() == "mine"
    assert not Path("runs").exists()


def test_the_working_folder_itself_will_do_where_it_is_empty(export: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, store = Path("run.yaml").absolute(), Path("runs").absolute()
    Path("empty").mkdir()
    monkeypatch.chdir("empty")
    assert export(str(spec), "--output", ".", "--store", str(store)).code == 0
    assert len(table(spec.with_name("empty"))) == 100


def test_of_a_grid_one_split_is_chosen(export: Call) -> None:
    Path("grid.yaml").write_text(SPEC.replace("attack:", "seeds: [0, 1]\nattack:"))
    answer = export("grid.yaml", "--output", "out")
    assert answer.code == 2
    assert "leads to 2 such splits" in answer.err
    assert "--seed" in answer.err
    assert export("grid.yaml", "--output", "out", "--seed", "1", "--attack", "stamp").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--attack", "other"), "run.yaml has no attack 'other'.\n  It has stamp."),
        (("--role", "cover"), "--role cover: run.yaml leads to no such rows."),
        (("--set", "attack=none"), "run.yaml has no attack.\n  It has none."),
    ],
)
def test_what_a_spec_does_not_hold(export: Call, words: tuple[str, ...], said: str) -> None:
    answer = export("run.yaml", "--output", "out", *words)
    assert answer.code == 2
    assert said in answer.err
    assert not Path("out").exists()


def test_a_failure_on_the_way_leaves_no_half_folder(export: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sample_files, "_written", full)
    answer = export("run.yaml", "--output", "out")
    assert answer.code == 2
    assert "out cannot be written: No space left on device." in answer.err
    assert sorted(p.name for p in Path().iterdir()) == ["run.yaml", "runs"]


class Beside(toy.LiveStamp):
    """A trigger that is trained."""


def test_no_model_is_trained_for_it(export: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("more")
    module.Beside = Beside  # type: ignore[attr-defined]  # a module made here
    traits = frozenset({"trains", "trains_trigger"})
    components = [Component("attack", "toy/beside", "more:Beside", "T", traits=traits)]
    module.mbti_register = hookimpl(lambda: components, specname="mbti_register")  # type: ignore[attr-defined]  # as above
    monkeypatch.setitem(sys.modules, "more", module)
    registry().register(module, "more")
    answer = export("run.yaml", "--output", "out", "--set", "attack=beside", "--role", "triggered")
    assert answer.code == 2
    assert "needs a trained model, which runs does not hold.\n  Run 'mbti run run.yaml' first." in answer.err


@pytest.mark.parametrize(
    ("name", "folder"), [("a/b", "a%2Fb"), ("..", "%2E%2E"), ("stop sign", "stop sign"), ("é", "%C3%A9")]
)
def test_a_class_name_that_is_no_folder_name(name: str, folder: str) -> None:
    assert sample_files._folder_name(name) == folder
