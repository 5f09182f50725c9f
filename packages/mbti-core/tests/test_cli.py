"""Commands that run nothing: listing, showing, plugins, doctor; usage errors; how errors are printed."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mbti_core.cli import main
from mbti_core.cli.doctor import torch_pair_problems
from mbti_core.contracts.component import Component, Source
from mbti_core.plugins.hookspecs import hookimpl
from mbti_core.plugins.manager import registry

Call = Callable[..., Any]


def plugin(**hooks: Callable[..., Any]) -> ModuleType:
    """A plugin with these hooks."""
    module = ModuleType("made_here")
    for name, function in hooks.items():
        setattr(module, name, hookimpl(function))
    return module


def test_bare_command_shows_help(mbti: Call) -> None:
    answer = mbti()
    assert answer.code == 0
    for command in ["run", "sweep", "results", "list", "show", "validate", "fetch", "store", "plugin", "doctor"]:
        assert re.search(rf"^  {command} ", answer.out, re.MULTILINE)
    assert mbti("--help").out == answer.out


def test_version(mbti: Call) -> None:
    assert mbti("--version").out == f"mbti {version('mbti-core')}\n"


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["lst"], "No such command 'lst'. Did you mean 'list'?", "Run 'mbti --help'."),
        (["list", "--jso"], "No such option: --jso (Possible options: --json)", "Run 'mbti list --help'."),
        (["show", "attack"], "Missing argument 'NAME'.", "Run 'mbti show --help'."),
        (["store"], "Missing command.", "Run 'mbti store --help'."),
        (
            ["list", "atacks"],
            "There is no kind of component called 'atacks'.",
            "Did you mean attacks or attack or dataset?",
        ),
    ],
)
def test_usage_errors_say_what_and_where_to_look(mbti: Call, words: list[str], message: str, hint: str) -> None:
    answer = mbti(*words)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"error: {message}\n  {hint}\n"


def test_a_number_out_of_range(mbti: Call) -> None:
    answer = mbti("run", "--workers", "0")
    assert answer.code == 2
    assert answer.err.startswith("error: Invalid value for '--workers': ")


def test_errors_have_a_traceback_only_with_debug(mbti: Call) -> None:
    assert "Traceback" not in mbti("show", "attack", "x").err
    for words in (("--debug", "show", "attack", "x"), ("show", "attack", "x", "--debug")):
        answer = mbti(*words)
        assert answer.code == 3
        assert "Traceback" in answer.err
        assert answer.err.endswith("error: No attack is called 'x'.\n  Run 'mbti list attacks'.\n")


def test_texts_are_printed_as_they_are(mbti: Call) -> None:
    assert "[red]x[/red] :smile:" in mbti("show", "attack", "toy/[red]x[/red] :smile:").err


def test_list(mbti: Call) -> None:
    lines = [line.split() for line in mbti("list").out.splitlines()]
    assert ["attack", "stamp", "toy", "A", "square", "in", "a", "corner", "toy"] in lines
    assert ["noise", "mislabel", "any"] in [line[:3] for line in lines]
    assert any("trains" in line for line in lines if "live-stamp" in line)
    assert mbti("list", "attacks").out == mbti("list", "attack").out
    assert "mislabel" not in mbti("list", "attacks").out


def test_list_of_a_modality(mbti: Call) -> None:
    found = {c["id"] for c in mbti("list", "noise", "--modality", "toy", "--json").json["components"]}
    assert found == {"toy/fuzz", "any/confusion", "any/mislabel", "any/pairflip"}
    assert {c["id"] for c in mbti("list", "noise", "--modality", "waves", "--json").json["components"]} == {
        "any/confusion",
        "any/mislabel",
        "any/pairflip",
    }


def test_list_as_json(mbti: Call) -> None:
    source = Source("On Stamps", "Ada Lovelace, Charles Babbage", "Notes", 1843)
    registry().register(plugin(mbti_register=lambda: [Component("attack", "toy/a", "m:A", "…", source)]), "mine")
    document = mbti("list", "attacks", "--json").json
    (found,) = [c for c in document["components"] if c["id"] == "toy/a"]
    assert found == {
        "kind": "attack",
        "id": "toy/a",
        "name": "a",
        "modality": "toy",
        "summary": "…",
        "traits": [],
        "version": 1,
        "source": {"title": "On Stamps", "authors": "Ada Lovelace, Charles Babbage", "venue": "Notes", "year": 1843},
        "extra": None,
        "plugin": "mine",
        "distribution": "",
    }
    assert "Lovelace 1843" in mbti("list", "attacks").out


def test_list_says_what_to_install(mbti: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MBTI_EXTRA_PLUGINS")
    registry.cache_clear()
    out = mbti("list").out
    assert "No attack is installed: pip install mbti-" in out
    assert "No defense is installed: pip install mbti-defenses." in out
    missing = mbti("list", "--json").json["missing"]
    assert missing["defense"] == ["mbti-defenses"]
    assert "noise" not in missing


def test_built_in_experiments_are_listed_and_shown(mbti: Call) -> None:
    spec = {"name": "short", "priority": 1, "summary": "In a second", "spec": {"dataset": {"name": "blobs"}}}
    registry().register(plugin(mbti_specs=lambda: [spec]), "mine")
    assert "In a second" in mbti("list", "specs").out
    assert mbti("show", "spec", "short").out == "dataset:\n  name: blobs\n"
    assert mbti("show", "spec", "short", "--json").json["spec"] == spec["spec"]
    answer = mbti("show", "spec", "shart")
    assert (answer.code, answer.err.splitlines()[1]) == (3, "  Did you mean short? Run 'mbti list specs'.")


def test_show_an_attack(mbti: Call) -> None:
    out = mbti("show", "attack", "stamp").out
    assert out.startswith("attack toy/stamp: A square in a corner\n")
    assert "the attacker poisons training data" in out
    rows = [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()]
    assert ["size", "integer above 0", "2"] in rows
    assert ["ratio", "number above 0.0 at most 1.0", "0.1"] in rows
    assert ["target", "integer at least 0 | list of integer at least 0 | all-to-all", "0"] in rows


def test_show_a_data_set(mbti: Call) -> None:
    out = mbti("show", "dataset", "blobs").out
    assert "classes: north-west, north-east, south-west, south-east\n" in out
    assert "licence: CC0-1.0\n" in out
    card = mbti("show", "dataset", "blobs", "--json").json["card"]
    assert (card["shape"], card["downloads"]) == ([1, 12, 12], [])


def test_show_as_json_brings_the_schemas(mbti: Call) -> None:
    document = mbti("show", "attack", "stamp", "--json").json
    assert document["settings"]["properties"]["size"]["exclusiveMinimum"] == 0
    assert document["settings"]["additionalProperties"] is False
    assert set(document["stage_settings"]["properties"]) == {"ratio", "target"}


def test_show_every_component(mbti: Call) -> None:
    for found in mbti("list", "--json").json["components"]:
        answer = mbti("show", found["kind"], found["id"])
        assert answer.code == 0
        assert answer.out.startswith(f"{found['kind']} {found['id']}: ")
    needs = mbti("show", "defense", "outlier", "--json").json
    assert (needs["needs"], needs["yields"]) == (["clean", "features", "model", "suspects"], ["keep", "scores"])


def test_show_asks_which_modality(mbti: Call) -> None:
    registry().register(plugin(mbti_register=lambda: [Component("attack", "waves/stamp", "m:A", "…")]), "mine")
    answer = mbti("show", "attack", "stamp")
    assert answer.code == 2
    assert "Say which: toy/stamp or waves/stamp." in answer.err
    assert mbti("show", "attack", "stamp", "--modality", "toy").code == 0


def test_show_names_near_names(mbti: Call) -> None:
    answer = mbti("show", "attack", "stmp")
    assert answer.err == "error: No attack is called 'stmp'.\n  Did you mean stamp? Run 'mbti list attacks'.\n"


def test_show_without_the_package(mbti: Call) -> None:
    registry().register(
        plugin(mbti_register=lambda: [Component("attack", "toy/far", "absent_package:A", "…", extra="mbti-x[far]")]),
        "mine",
    )
    answer = mbti("show", "attack", "far")
    assert answer.code == 3
    assert answer.err.splitlines()[1] == '  pip install "mbti-x[far]"'


def test_plugin_list_shows_broken_and_blocked_plugins(mbti: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MBTI_EXTRA_PLUGINS", "bad=absent_package.plugin,off=mbti_core.plugin")
    monkeypatch.setenv("MBTI_DISABLE_PLUGINS", "off")
    registry.cache_clear()
    statuses = {s["name"]: s for s in mbti("plugin", "list", "--json").json["plugins"]}
    assert statuses["bad"]["error"] == "ModuleNotFoundError: No module named 'absent_package'"
    assert statuses["off"]["blocked"]
    out = mbti("plugin", "list").out
    assert "broken: ModuleNotFoundError: No module named 'absent_package'" in out
    assert "blocked by MBTI_DISABLE_PLUGINS" in out


def test_clashing_plugins_are_an_error_not_a_traceback(mbti: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MBTI_EXTRA_PLUGINS", "a=mbti_core.testing.toy_plugin,b=clash")
    clash = plugin(mbti_register=lambda: [Component("attack", "toy/stamp", "m:A", "…")])
    monkeypatch.setitem(sys.modules, "clash", clash)
    registry.cache_clear()
    answer = mbti("list")
    assert answer.code == 3
    assert "both register the attack 'toy/stamp'" in answer.err


def test_plugins_add_commands_and_a_failing_one_takes_none_away(mbti: Call) -> None:
    def good(app: Any) -> None:
        app.command("hello")(lambda: print("hello there"))

    def bad(app: Any) -> None:
        raise RuntimeError("no luck")

    registry().register(plugin(mbti_commands=bad), "aa")
    registry().register(plugin(mbti_commands=good), "bb")
    registry().register(plugin(mbti_commands=bad), "cc")
    answer = mbti("hello")
    assert (answer.code, answer.out) == (0, "hello there\n")
    assert "warning: plugin 'aa' failed to add its commands: RuntimeError: no luck" in answer.err


def test_plugin_check_runs_the_kit(mbti: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from mbti_core.testing import planning

    def said(status: str, message: str = "") -> Any:
        return lambda check: planning.CheckResult(check, status, message, 0.1)  # type: ignore[arg-type]

    monkeypatch.setattr(planning, "plan_checks", lambda name: [f"{name}-pure", f"{name}-golden"])
    monkeypatch.setattr(planning, "run_check", said("passed"))
    answer = mbti("plugin", "check", "toy")
    assert (answer.code, answer.out.splitlines()[0]) == (0, "passed   toy-pure  0.1 s")
    monkeypatch.setattr(planning, "run_check", said("failed", "toy-pure: expected 1, got 2\n  Return a copy."))
    answer = mbti("plugin", "check", "toy")
    assert answer.code == 1
    assert answer.out.startswith("failed   toy-pure  0.1 s  expected 1, got 2\n  Return a copy.\n")
    assert answer.err.startswith("error: 2 of 2 checks of the plugin 'toy' failed.")
    assert mbti("plugin", "check", "toy", "--json").json["counts"] == {"passed": 0, "failed": 2, "skipped": 0}


def test_plugin_check_of_a_plugin_that_is_not_there(mbti: Call) -> None:
    answer = mbti("plugin", "check", "toi")
    assert answer.code == 3
    assert answer.err == "error: The plugin 'toi' is not installed.\n  Did you mean toy?\n"


def test_plugin_new_writes_a_project_that_loads(mbti: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mbti("plugin", "new", "grey-edge").code == 0
    texts = {p.name: p.read_text() for p in Path("grey-edge").rglob("*") if p.is_file()}
    assert set(texts) == {"pyproject.toml", "__init__.py", "plugin.py", "attack.py", "test_conformance.py"}
    assert not any("$" in text for text in texts.values())
    assert 'grey-edge = "grey_edge.plugin"' in texts["pyproject.toml"]
    assert 'test_conformance = conformance("grey-edge")' in texts["test_conformance.py"]
    monkeypatch.syspath_prepend("grey-edge/src")
    monkeypatch.setenv("MBTI_EXTRA_PLUGINS", "grey-edge=grey_edge.plugin")
    registry.cache_clear()
    (component,) = [c for c in mbti("list", "attacks", "--json").json["components"] if c["plugin"] == "grey-edge"]
    assert mbti("show", "attack", component["id"]).code == 0
    sys.modules.pop("grey_edge")


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("Grey_Edge", 2, "expected lower-case words joined by '-', got 'Grey_Edge'"),
        ("../out", 2, "expected lower-case words"),
        ("torch", 2, "'torch' is a word or a package of Python already"),
        ("class", 2, "'class' is a word or a package of Python already"),
        ("toy", 3, "A plugin called 'toy' is installed"),
        ("stamp", 3, "An attack called 'stamp' is installed"),
        ("there", 2, "there is there already, and nothing is overwritten"),
    ],
)
def test_plugin_new_refuses(mbti: Call, name: str, code: int, message: str) -> None:
    Path("there").mkdir()
    answer = mbti("plugin", "new", name)
    assert (answer.code, answer.out) == (code, "")
    assert message in answer.err
    assert os.listdir() == ["there"]
    assert os.listdir("there") == []


def test_doctor(mbti: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MBTI_OFFLINE", "1")
    answer = mbti("doctor", "--json")
    document = answer.json
    assert (answer.code, document["problems"]) == (0, [])
    assert document["versions"]["mbti-core"] == version("mbti-core")
    assert "cpu" in document["compute"]["devices"]
    assert document["folders"]["store"]["path"] == str(Path("runs").absolute())
    assert document["folders"]["store"]["free_bytes"] > 0
    assert document["offline"]["MBTI_OFFLINE"] == "1"
    assert "No problem found." in mbti("doctor").out


def test_doctor_finds_a_broken_plugin(mbti: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MBTI_EXTRA_PLUGINS", "bad=absent_package.plugin")
    registry.cache_clear()
    answer = mbti("doctor")
    assert answer.code == 1
    assert "problem: plugin bad: ModuleNotFoundError: No module named 'absent_package'" in answer.out


@pytest.mark.parametrize(
    ("torch", "vision", "sound", "misfits"),
    [
        ("2.11.0", "0.26.0", "2.11.0", []),
        ("2.11.0+cpu", "0.26.1", "2.11.0+cpu", []),
        ("2.14.1", "0.29.0", "2.11.0", []),
        ("2.15.0", "0.30.0", "2.11.0", ["torchaudio"]),
        ("2.11.0", "0.25.0", "2.11.0", ["torchvision"]),
        ("2.10.0", "0.26.0", "2.11.0", ["torchvision", "torchaudio"]),
        ("2.10.0", "0.25.0", "2.10.0", []),
    ],
)
def test_doctor_knows_which_companions_fit(torch: str, vision: str, sound: str, misfits: list[str]) -> None:
    found = {"torch": torch, "torchvision": vision, "torchaudio": sound}
    assert [p.split()[0] for p in torch_pair_problems(found)] == misfits
    assert torch_pair_problems({"torch": torch}) == []


def test_a_reader_that_has_seen_enough(mbti: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        assert main(["list", "--json"]) == 1
