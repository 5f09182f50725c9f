"""``mbti show-sample`` on the toy modality, and the gallery of a report."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mbti_core.contracts.component import Component
from mbti_core.errors import ConfigError
from mbti_core.plugins.hookspecs import hookimpl
from mbti_core.plugins.manager import registry
from mbti_core.testing import toy

Call = Callable[..., Any]
SPEC = """\
schema: 1
modality: toy
seeds: [0, 1]
dataset: {name: blobs, train: 200, test: 60}
attack: {name: stamp, ratio: 0.2, value: 200}
model: mlp
train: {epochs: 1}
"""


class Beside(toy.LiveStamp):
    """A trigger that is trained."""


class Looks(toy.Stamp):
    """A trigger that is found against a benign model, of more than one epoch if it is any good."""

    def fit(self, split: Any, ctx: Any) -> dict[str, Any]:
        if ctx.surrogate.model.training:
            raise ConfigError("It still learns.", "Wait.")
        if len(split) > 200:
            raise ConfigError(f"{len(split)} rows are too many.", "Take fewer.")
        return {}


@pytest.fixture
def sample(mbti: Call, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call ``mbti show-sample``; the toy modality has a built-in experiment, and an attack that trains its trigger."""
    Path("run.yaml").write_text(SPEC)
    module = ModuleType("more")
    module.Beside, module.Looks = Beside, Looks  # type: ignore[attr-defined]  # a module made here
    components = [
        Component("attack", "toy/beside", "more:Beside", "T", traits=frozenset({"trains", "trains_trigger"})),
        Component("attack", "toy/looks", "more:Looks", "L", traits=frozenset({"surrogate"})),
    ]
    spec = {
        "modality": "toy",
        "dataset": "blobs",
        "attack": {"name": "stamp", "ratio": 0.2},
        "model": "mlp",
        "train": {"epochs": 1},
        "defenses": ["not-installed"],
    }
    module.mbti_register = hookimpl(lambda: components, specname="mbti_register")  # type: ignore[attr-defined]  # as above
    built_in = [{"name": "small", "priority": 1, "summary": "", "spec": spec}]
    module.mbti_specs = hookimpl(lambda: built_in, specname="mbti_specs")  # type: ignore[attr-defined]  # as above
    monkeypatch.setitem(sys.modules, "more", module)
    registry().register(module, "more")
    return lambda *words: mbti("show-sample", *words)


def figures(page: Path) -> list[str]:
    return re.findall(r"<figure>.*?</figure>", page.read_text(encoding="utf-8"), re.DOTALL)


def test_without_a_spec_the_built_in_experiment_is_taken_and_nothing_is_kept(sample: Call) -> None:
    answer = sample("stamp")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "8 samples: stamp-blobs.html\n"
    assert sorted(p.name for p in Path().iterdir()) == ["run.yaml", "stamp-blobs.html"]
    shown = figures(Path("stamp-blobs.html"))
    assert len(shown) == 8
    assert all(figure.count("<table") == 3 for figure in shown)
    page = Path("stamp-blobs.html").read_text()
    assert "toy/stamp" in page
    assert "size 2, value 255" in page


def test_the_difference_is_gray_outside_the_trigger(sample: Call) -> None:
    sample("stamp", "--rows", "1", "--set", "attack.size=1")
    (figure,) = figures(Path("stamp-blobs.html"))
    tables = figure.split("<table")[1:]
    clean, bad, difference = (re.findall(r"rgb\((\d+)", table) for table in tables)
    assert {d for c, b, d in zip(clean, bad, difference, strict=True) if c == b} == {"128"}
    assert {d for c, b, d in zip(clean, bad, difference, strict=True) if c != b} == {"255"}


def test_a_page_and_json(sample: Call) -> None:
    answer = sample("toy/stamp", "--rows", "5", "--target", "2", "--seed", "4", "--output", "deep/a.html", "--json")
    document = answer.json
    assert document["output"] == "deep/a.html"
    assert len({s["index"] for s in document["samples"]}) == len(figures(Path("deep/a.html"))) == 5
    assert len({s["label"] for s in document["samples"]}) == 1
    assert len({s["truth"] for s in document["samples"]}) == 3  # of four classes, one is the target


def test_training_rows(sample: Call) -> None:
    document = sample("stamp", "--role", "train", "--rows", "100", "--set", "dataset.train=100", "--json").json
    assert len(document["samples"]) == 20


def test_samples_of_a_spec_come_from_its_store(sample: Call, mbti: Call) -> None:
    assert mbti("run", "run.yaml", "--threads", "1", "--seeds", "0", "--no-report").code == 0
    before = sorted(Path("runs").rglob("manifest.json"))
    assert sample("stamp", "--spec", "run.yaml").code == 0
    assert sorted(Path("runs").rglob("manifest.json")) == before
    assert "value 200" in Path("stamp-blobs.html").read_text()


@pytest.mark.learn
def test_what_a_trigger_needs_is_trained(sample: Call) -> None:
    answer = sample("looks")
    assert answer.code == 2
    assert answer.err == "error: 500 rows are too many.\n  Take fewer.\n"
    assert sample("looks", "--set", "dataset.train=200").code == 0


def test_nothing_is_trained_for_a_spec(sample: Call) -> None:
    Path("run.yaml").write_text(SPEC.replace("name: stamp", "name: beside"))
    answer = sample("beside", "--spec", "run.yaml")
    assert answer.code == 2
    assert answer.err == (
        "error: beside, triggered test set: the trigger needs a trained model, which runs does not hold.\n"
        "  Run 'mbti run run.yaml' first, or leave out --spec to train a small one here.\n"
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["stmp"], 3, "No attack is called 'stmp'.\n  Did you mean stamp?"),
        (["stamp", "--output", "a.gif"], 2, "expected a file ending in .html or .png, got 'a.gif'"),
        (["stamp", "--output", "a.png"], 5, "needs mbti_picture for toy"),
        (["stamp", "--role", "cover"], 2, "--role cover: stamp makes no test rows"),
        (["stamp", "--target", "9"], 2, "--target: attack.target: expected a class of blobs"),
        (["stamp", "--dataset", "blob"], 3, "Did you mean blobs?"),
        (["stamp", "--set", "attack.sise=3"], 2, "unknown key. Did you mean size?"),
        (["stamp", "--spec", "no.yaml"], 2, "There is no spec file 'no.yaml'."),
        (["live-stamp", "--spec", "run.yaml"], 2, "run.yaml has no attack 'live-stamp'.\n  It has stamp."),
        (["stamp", "--spec", "run.yaml", "--store", "."], 2, "is no store"),
    ],
)
def test_what_cannot_be_shown_says_why(sample: Call, words: list[str], code: int, said: str) -> None:
    answer = sample(*words)
    assert answer.code == code
    assert said in answer.err


def test_a_report_shows_an_attack_once_for_all_seeds(mbti: Call) -> None:
    Path("run.yaml").write_text(SPEC)
    document = mbti("run", "run.yaml", "--threads", "1", "--json").json
    page = Path(document["report"]).read_text(encoding="utf-8")
    assert page.count("<h2>Trigger examples: stamp, triggered test set</h2>") == 1
    assert len(figures(Path(document["report"]))) == 8
