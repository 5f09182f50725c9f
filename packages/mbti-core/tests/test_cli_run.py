"""``mbti run``, ``sweep`` and ``validate`` on the toy modality: plan, table, JSON, exit codes, interruption."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from mbti_core.contracts.component import Component
from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, Need, Yield
from mbti_core.errors import DataFormatError, NotSupportedError
from mbti_core.plugins.hookspecs import hookimpl
from mbti_core.plugins.manager import registry

Call = Callable[..., Any]
SPEC = """\
schema: 1
modality: toy
dataset: {name: blobs, train: 200, test: 60}
attack: {name: stamp, ratio: 0.2}
model: mlp
train: {epochs: 1}
defenses: [{name: retune, steps: 2}]
"""


class Refuse(Defense):
    """Works on nothing."""

    needs: ClassVar[frozenset[Need]] = frozenset({"model"})
    yields: ClassVar[frozenset[Yield]] = frozenset({"model"})

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        raise NotSupportedError("Refuse needs a layer that no model has.", "Choose another defense.")


class Broken(Refuse):
    """Has a defect."""

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        raise ZeroDivisionError("by design")


class Unreadable(Refuse):
    """Meets a file that it cannot read."""

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        raise DataFormatError("weights.bin: expected 4 columns, found 3.", "Fetch it again.")


class Interrupt(Refuse):
    """Meets a person who presses Ctrl-C."""

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        raise KeyboardInterrupt


@pytest.fixture
def run(mbti: Call, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call ``mbti run`` or another command on ``run.yaml``, with defenses that fail in their own ways at hand."""
    Path("run.yaml").write_text(SPEC)
    module = ModuleType("failing")
    names = {"refuse": Refuse, "broken": Broken, "unreadable": Unreadable, "interrupt": Interrupt}
    for cls in names.values():
        setattr(module, cls.__name__, cls)
    components = [Component("defense", f"toy/{n}", f"failing:{c.__name__}", n) for n, c in names.items()]
    module.mbti_register = hookimpl(lambda: components)  # type: ignore[attr-defined]  # a module made here
    monkeypatch.setitem(sys.modules, "failing", module)
    registry().register(module, "failing")

    def call(*words: str, command: str = "run") -> Any:
        return mbti(command, "run.yaml", *(("--threads", "1", "--no-report") if command != "validate" else ()), *words)

    return call


def stages(answer: Any) -> dict[str, str]:
    return {f"{s['stage']} {s['label']}": s["status"] for s in answer.json["stages"]}


def test_validate(run: Call) -> None:
    assert run(command="validate").out == "run.yaml: valid, 1 experiment.\n"
    document = run("--json", command="validate").json
    assert document["valid"]
    assert document["problems"] == []
    (experiment,) = document["experiments"]
    assert experiment["attack"] == [{"id": "toy/stamp", "ratio": 0.2, "target": 0, "size": 2, "value": 255}]
    assert experiment["seeds"] == {"data": 0, "attack": 0, "train": 0, "defense": 0}


def test_validate_says_all_problems_at_once(run: Call) -> None:
    Path("run.yaml").write_text(SPEC.replace("ratio: 0.2", "ratio: 2, sise: 1").replace("epochs: 1", "epochs: x"))
    answer = run(command="validate")
    assert (answer.code, answer.out) == (2, "")
    first, *lines, hint = answer.err.removeprefix("error: ").splitlines()
    assert sorted([first, *lines]) == [
        "run.yaml:4: attack.ratio: expected a number of at most 1, got 2.",
        "run.yaml:4: attack.sise: unknown key. Did you mean size?",
        "run.yaml:6: train.epochs: expected an integer, got 'x'.",
    ]
    assert hint == "  Run 'mbti show attack stamp --modality toy' for its settings."
    document = run("--json", command="validate").json
    assert not document["valid"]
    assert {(p["place"], ".".join(p["path"])) for p in document["problems"]} == {
        ("run.yaml:4", "attack.ratio"),
        ("run.yaml:4", "attack.sise"),
        ("run.yaml:6", "train.epochs"),
    }


def test_dry_run_plans_and_writes_nothing(run: Call) -> None:
    answer = run("--dry-run")
    assert answer.code == 0
    assert "retune on the victim" in answer.out
    assert answer.err.startswith("11 to run; device ")
    assert set(stages(run("--dry-run", "--json")).values()) == {"to run"}
    assert not Path("runs").exists()


@pytest.mark.learn
def test_run_then_run_again(run: Call, mbti: Call) -> None:
    answer = run()
    assert answer.code == 0
    assert answer.err == ""  # no terminal, so no progress
    assert "stamp" in answer.out
    assert "retune" in answer.out
    again = run("--verbose")
    assert (again.out, again.err) == (answer.out, "")  # nothing ran
    assert set(stages(run("--dry-run", "--json")).values()) == {"cached"}
    other = stages(run("--dry-run", "--json", "--set", "defenses.retune.steps=3"))
    assert {(k.split()[0], "retune" in k) for k, v in other.items() if v == "to run"} == {
        ("defend", True),
        ("evaluate", True),
    }
    rows = run("--json").json
    assert [row["defense"] for row in rows["rows"]] == ["none", "retune"]
    assert (rows["failures"], rows["report"]) == ([], None)
    forced = run("--force", "defend", "--verbose")
    assert forced.code == 0
    assert [line.split()[0] for line in forced.err.splitlines() if "started" in line].count("defend") == 2
    assert not any(line.startswith(("train", "prepare")) for line in forced.err.splitlines())
    results = mbti("results", "--json").json["rows"]
    assert [row["defense"] for row in results] == ["none", "retune"]


@pytest.mark.learn
def test_flags_name_other_components_and_rename_the_run(run: Call) -> None:
    Path("run.yaml").write_text(f"name: mine\n{SPEC}")
    rows = run("--json", "--attack", "none", "--defense", "none", "--seeds", "3", "--noise", "fuzz").json["rows"]
    assert [(r["name"], r["attack"], r["defense"], r["seed"], r["noise"]) for r in rows] == [
        ("blobs-none", "none", "none", "3", "fuzz")
    ]


@pytest.mark.learn
def test_only_an_unsupported_defense_exits_with_5_and_is_an_outcome_in_a_sweep(run: Call) -> None:
    answer = run("--defense", "refuse")
    assert answer.code == 5
    assert "error: Refuse needs a layer that no model has." in answer.err
    assert "unsupported" in answer.out
    assert run("--defense", "refuse", command="sweep").code == 0
    assert run("--defense", "refuse", "--defense", "retune").code == 0
    assert "unsupported" in stages(run("--defense", "refuse", "--dry-run", "--json")).values()


@pytest.mark.learn
def test_a_failed_stage(run: Call) -> None:
    answer = run("--defense", "unreadable")
    assert answer.code == 4
    assert (
        "error: defend unreadable on the benign twin: weights.bin: expected 4 columns, found 3.\n  Fetch it again."
        in answer.err
    )
    assert "Traceback" not in answer.err
    assert "Traceback" in run("--defense", "unreadable", "--debug").err
    assert run("--defense", "unreadable", command="sweep").code == 1
    document = run("--defense", "unreadable", "--json").json
    assert {f["label"] for f in document["failures"]} == {"unreadable on the benign twin"}  # the row needs it
    error = {
        "type": "DataFormatError",
        "message": "weights.bin: expected 4 columns, found 3.",
        "hint": "Fetch it again.",
    }
    assert document["failures"][0]["error"] == error
    assert [row["status"] for row in document["rows"]] == ["ok", "failed"]


@pytest.mark.learn
def test_a_defect_keeps_its_traceback_and_the_rest_of_the_run(run: Call) -> None:
    answer = run("--defense", "broken", "--defense", "retune")
    assert answer.code == 1
    assert "ZeroDivisionError: by design" in answer.err
    assert "Traceback" in answer.err
    assert "retune" in answer.out


@pytest.mark.learn
def test_interruption_says_what_is_complete(run: Call) -> None:
    answer = run("--defense", "interrupt")
    assert (answer.code, answer.out) == (130, "")
    assert answer.err == (
        "interrupted: 7 of 11 stages are complete and stay in runs; the same command goes on from there.\n"
    )
    assert not list(Path("runs").rglob(".part-*"))
    assert run("--defense", "retune").code == 0


def test_without_a_spec_and_without_a_built_in_experiment(mbti: Call) -> None:
    answer = mbti("run")
    assert answer.code == 3
    assert answer.err.startswith(
        "error: No installed plugin offers a built-in experiment.\n  Name a spec file, or pip install"
    )
    assert mbti("run", "--modality", "toy").code == 3


def test_sweep_wants_a_grid(mbti: Call) -> None:
    answer = mbti("sweep")
    assert (answer.code, answer.err.splitlines()[0]) == (2, "error: sweep: expected a grid file, got none.")


def test_data_root_and_store(run: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from mbti_core.engine import plan

    seen: list[plan.RunOptions] = []
    for name in ("MBTI_DATA", "MBTI_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        "mbti_core.cli.experiment.make_plan", lambda e, r, options: seen.append(options) or plan.Plan("cpu")
    )
    run("--dry-run")
    monkeypatch.setenv("MBTI_DATA", "env-data")
    monkeypatch.setenv("MBTI_STORE", "env-store")
    run("--dry-run")
    run("--dry-run", "--data-root", "here", "--store", "there")
    assert [str(o.store) for o in seen] == ["runs", "env-store", "there"]
    assert [str(o.data_root) for o in seen[1:]] == ["env-data", "here"]
    assert seen[0].data_root.name == "mbti"
