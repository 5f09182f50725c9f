from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

from mbti_core.contracts.component import Component
from mbti_core.errors import MissingPluginError
from mbti_core.plugins.hookspecs import hookimpl
from mbti_core.plugins.manager import Registry
from mbti_core.testing import conformance, run_checks, toy_plugin, write_golden
from mbti_core.testing.bench import Bench
from mbti_core.testing.planning import plan_checks

pytest_plugins = ["pytester"]


@pytest.fixture
def registry() -> Registry:
    found = Registry(points=[], blocked=frozenset())
    found.register(toy_plugin, "toy")
    return found


def small(*components: Component) -> ModuleType:
    module = ModuleType("mbti_core.testing.toy_plugin")
    module.mbti_register = hookimpl(lambda: components, specname="mbti_register")  # type: ignore[attr-defined]  # made here
    return module


STAMP = Component("attack", "toy/other", "mbti_core.testing.toy:Stamp", "The stamp again")
FUZZ = Component("noise", "toy/other", "mbti_core.testing.toy:Fuzz", "The noise again")


def test_every_check_explains_itself(registry: Registry) -> None:
    planned = plan_checks("toy", None, registry)
    assert [p.id for p in planned if not p.advice.endswith((".", ")"))] == []
    assert len({p.id for p in planned}) == len(planned)


def test_every_component_of_a_plugin_is_checked_and_no_other(registry: Registry) -> None:
    registry.register(small(STAMP), "other")
    prefixes = {p.id.rpartition("-")[0] for p in plan_checks("other", None, registry)}
    assert prefixes == {"other", "toy/other"}


def test_a_component_is_checked_with_given_settings(registry: Registry, tmp_path: Path) -> None:
    registry.register(small(STAMP), "other")
    given = {"toy/other": {"size": 5}}
    plain, bent = (
        {p.id for p in plan_checks("other", tmp_path / "golden.json", registry, settings)} for settings in (None, given)
    )
    assert plain - bent == {"toy/other-golden"}
    found = registry.find("attack", "other", "toy")
    assert [Bench(registry, "toy", settings).settings(found).size for settings in ({}, given)] == [2, 5]
    with pytest.raises(ValueError, match=r"'toy/othr': there is no such component\. Did you mean toy/other"):
        conformance("other", settings={"toy/othr": {}}, registry=registry)


def test_results_without_pytest(registry: Registry) -> None:
    registry.register(small(FUZZ), "other")
    found = run_checks("other", registry=registry)
    assert [r.message for r in found if r.status != "passed"] == []
    assert {r.id for r in found} >= {"other-importable_without_torch", "toy/other-zero_is_identity"}
    assert all(r.seconds >= 0 for r in found)


def test_a_component_that_cannot_be_loaded_gives_one_failure(registry: Registry) -> None:
    registry.register(small(Component("attack", "toy/gone", "no_such_module:Gone", "Gone")), "other")
    (failed,) = [r for r in run_checks("other", registry=registry) if r.status == "failed"]
    assert failed.id == "toy/gone-loads"
    assert "No module named 'no_such_module'" in failed.message


def test_a_broken_plugin_gives_its_error() -> None:
    registry = Registry(points=[EntryPoint("broken", "no_such_module", "mbti")], blocked=frozenset())
    (failed,) = run_checks("broken", registry=registry)
    assert failed.id == "broken-loads"
    assert "ModuleNotFoundError" in failed.message


@pytest.mark.parametrize(("name", "hint"), [("tou", "Did you mean toy?"), ("zzz", "mbti plugin list")])
def test_a_plugin_that_is_not_installed(name: str, hint: str, registry: Registry) -> None:
    with pytest.raises(MissingPluginError, match="is not installed") as caught:
        run_checks(name, registry=registry)
    assert hint in caught.value.hint


def test_a_blocked_plugin_says_so() -> None:
    registry = Registry(points=[EntryPoint("toy", "mbti_core.testing.toy_plugin", "mbti")], blocked=frozenset({"toy"}))
    with pytest.raises(MissingPluginError, match="blocked by MBTI_DISABLE_PLUGINS"):
        run_checks("toy", registry=registry)


@pytest.mark.parametrize(
    ("id_", "reason", "message"),
    [
        ("toy/stamp-pure", "  ", "expected a reason, got nothing"),
        ("toy/stamp-pur", "why not", "Did you mean toy/stamp-pure"),
    ],
)
def test_xfail_needs_a_reason_and_a_check_that_exists(id_: str, reason: str, message: str, registry: Registry) -> None:
    with pytest.raises(ValueError, match=message):
        conformance("toy", xfail={id_: reason}, registry=registry)


ZERO = "toy/mine-zero_is_identity"
AUTHOR = """
from mbti_core.testing import conformance
test_conformance = conformance("mine", xfail={xfail})
"""
MINE = """
from mbti_core.contracts.component import Component
from mbti_core.plugins.hookspecs import hookimpl

@hookimpl
def mbti_register():
    return [Component("noise", "toy/mine", "mine_noise:Mine", "Adds a level")]
"""
NOISE = '''
from pydantic import PositiveInt
from mbti_core.contracts.noise import Noise

class Mine(Noise):
    """Adds a level, and makes it odd."""

    level: int = 4

    def apply(self, x, ctx):
        return x.clamp(max=250) + self.level | 1
'''


@pytest.mark.parametrize(
    ("xfail", "outcomes"),
    [
        ({}, {"passed": 9, "failed": 1}),
        ({ZERO: "odd levels", "toy/mine-pure": "no"}, {"passed": 8, "xfailed": 1, "failed": 1}),
    ],
    ids=["fails", "expected and strict"],
)
def test_two_lines_of_an_author(
    xfail: dict[str, str], outcomes: dict[str, int], pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\nmarkers = learn: trains")
    pytester.makepyfile(mine_plugin=MINE, mine_noise=NOISE, test_mine=AUTHOR.format(xfail=xfail))
    monkeypatch.setenv("MBTI_EXTRA_PLUGINS", "mine=mine_plugin")
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-m", "not learn")
    result.assert_outcomes(**outcomes)
    if not xfail:
        result.stdout.fnmatch_lines(["*toy/mine-zero_is_identity: with level = 0 the batch moves by*"])


def test_golden_numbers_hold_and_change_only_with_the_version(registry: Registry, tmp_path: Path) -> None:
    registry.register(small(STAMP), "other")
    file = tmp_path / "golden.json"
    assert write_golden("other", file, registry=registry) == 1
    records = json.loads(file.read_text())
    assert records.keys() == {"attack toy/other"}

    def said() -> tuple[str, str]:
        found = {r.id: r for r in run_checks("other", golden=file, registry=registry)}["toy/other-golden"]
        return found.status, found.message

    assert said() == ("passed", "")
    records["attack toy/other"]["fingerprint"][0] *= 1.01
    file.write_text(json.dumps(records))
    assert said()[0] == "failed"
    assert "version 1 gave" in said()[1]
    records["attack toy/other"]["version"] = 2
    file.write_text(json.dumps(records))
    assert "golden.json holds version 2, this is version 1" in said()[1]
    file.write_text("{}")
    assert "golden.json has no record of the attack toy/other" in said()[1]


def test_recording_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "core.json"
    done = subprocess.run(
        [sys.executable, "-m", "mbti_core.testing", "core", str(file)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"3 records in {file}\n"
    assert json.loads(file.read_text()).keys() == {"noise any/confusion", "noise any/mislabel", "noise any/pairflip"}


def test_importing_the_kit_imports_neither_torch_nor_pytest() -> None:
    code = "import sys, mbti_core.testing; sys.exit(bool({'torch', 'pytest'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)
