from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

import pytest

from mbti_core.contracts.component import Component
from mbti_core.errors import ConfigError, MissingPluginError, PluginConflictError, UnknownComponentError
from mbti_core.plugins.hookspecs import hookimpl
from mbti_core.plugins.manager import PluginStatus, Registry
from mbti_core.testing import toy_plugin

REGISTERS = """
    from mbti_core.contracts.component import Component
    from mbti_core.plugins.hookspecs import hookimpl

    @hookimpl
    def mbti_register():
        return [Component("attack", "toy/{name}", "{module}_code:Attack", "Made for a test")]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]  # returns a local function
    """Write a distribution by hand, as an installer would leave it on ``sys.path``."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(distribution: str, source: str, name: str = "", module: str = "", version: str = "1.2") -> str:
        name = name or distribution
        module = module or distribution.replace("-", "_") + "_plugin"
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source.format(name=name, module=module)))
        info = tmp_path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[mbti]\n{name} = {module}\n")
        return module

    yield write
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)


def ours(*names: str) -> list[EntryPoint]:
    """Return the installed entry points of these names only: what else is installed is no part of the test."""
    return sorted((p for p in entry_points(group="mbti") if p.name in names), key=lambda p: p.name)


def status_of(registry: Registry, name: str) -> PluginStatus:
    return next(s for s in registry.statuses if s.name == name)


def offering(kind: str, id_: str) -> ModuleType:
    """Return a plugin that offers one component."""
    module = ModuleType(f"offers_{kind}")
    component = Component(kind, id_, "nowhere:Nothing", "Made for a test")  # type: ignore[arg-type]  # kinds as text
    module.mbti_register = hookimpl(lambda: [component], specname="mbti_register")  # type: ignore[attr-defined]  # made here
    return module


def test_an_installed_plugin_is_found_with_its_distribution_and_version(install) -> None:
    module = install("acme-attacks", REGISTERS, name="acme")
    registry = Registry(points=ours("acme"))
    assert status_of(registry, "acme") == PluginStatus("acme", "acme-attacks", "1.2", module, components=1)
    found = registry.find("attack", "acme", "toy")
    assert (found.plugin, found.distribution, found.component.id) == ("acme", "acme-attacks", "toy/acme")


def test_core_comes_first_and_is_always_there() -> None:
    first = Registry(points=[]).statuses[0]
    assert (first.name, first.distribution, first.error) == ("core", "mbti-core", "")
    assert first.components > 0


BROKEN = {
    "import fails": ("import no_such_package_at_all", "ModuleNotFoundError: No module named 'no_such_package_at_all'"),
    "syntax error": ("def broken(:", "SyntaxError"),
    "register raises": (
        "from mbti_core.plugins.hookspecs import hookimpl\n@hookimpl\ndef mbti_register(): raise ValueError('no luck')",
        "ValueError: no luck",
    ),
    "malformed id": (REGISTERS.replace("toy/{name}", "Toy {name}"), "expected 'modality/name' in lower case"),
    "unknown hook": (
        "from mbti_core.plugins.hookspecs import hookimpl\n@hookimpl\ndef mbti_regster(): return []",
        "unknown hook 'mbti_regster'",
    ),
    "unknown argument": (
        "from mbti_core.plugins.hookspecs import hookimpl\n@hookimpl\ndef mbti_render(x, modalty): return None",
        "modalty",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_kept_with_its_error_and_the_others_work(case: str, install) -> None:
    source, message = BROKEN[case]
    install("acme-broken", source, name="broken")
    install("acme-good", REGISTERS, name="good")
    registry = Registry(points=ours("broken", "good"))
    broken = status_of(registry, "broken")
    assert message in broken.error
    assert (broken.distribution, broken.version, broken.components) == ("acme-broken", "1.2", 0)
    assert registry.find("attack", "good", "toy").plugin == "good"
    assert not registry.pm.has_plugin("broken")


@pytest.mark.parametrize("name", ["toy/stripe", "stripe"])
def test_using_a_component_that_a_broken_plugin_may_offer_fails_with_its_error(name: str, install) -> None:
    install("acme-broken", "import no_such_package_at_all", name="broken")
    registry = Registry(points=ours("broken"))
    with pytest.raises(MissingPluginError) as caught:
        registry.find("attack", name, "toy")
    assert "no_such_package_at_all" in caught.value.message
    assert "'broken'" in caught.value.message
    assert "acme-broken" in caught.value.hint


def test_a_broken_package_of_ours_is_named_for_its_modality(install) -> None:
    install("mbti-image", "raise RuntimeError('half an upgrade')", name="picture")
    registry = Registry(points=[p for p in ours("picture") if p.dist and p.dist.version == "1.2"])
    with pytest.raises(MissingPluginError, match="half an upgrade") as caught:
        registry.find("attack", "badnets", "image")
    assert caught.value.hint == "Repair or reinstall mbti-image."


def test_a_component_whose_code_is_missing_says_which_plugin_to_check(install) -> None:
    install("acme-attacks", REGISTERS, name="acme")
    entry = Registry(points=ours("acme")).find("attack", "acme", "toy")
    with pytest.raises(MissingPluginError, match="attack toy/acme cannot be imported") as caught:
        entry.load()
    assert "acme-attacks" in caught.value.hint


def test_a_component_that_needs_an_extra_says_how_to_install_it(install) -> None:
    install("acme-attacks", REGISTERS.replace('test")', 'test", extra="acme-attacks[fast]")'), name="acme")
    entry = Registry(points=ours("acme")).find("attack", "acme", "toy")
    with pytest.raises(MissingPluginError) as caught:
        entry.load()
    assert caught.value.hint == 'pip install "acme-attacks[fast]"'


def test_two_plugins_with_one_component_name_both_sides() -> None:
    registry = Registry(points=[])
    registry.register(toy_plugin, "toy")
    with pytest.raises(PluginConflictError) as caught:
        registry.register(offering("attack", "toy/stamp"), "other")
    assert caught.value.message == "Plugins 'toy' and 'other' both register the attack 'toy/stamp'."
    assert "MBTI_DISABLE_PLUGINS=other" in caught.value.hint


def test_two_distributions_with_one_plugin_name_are_refused(install) -> None:
    install("acme-one", REGISTERS, name="acme")
    install("acme-two", REGISTERS.replace("{name}", "other"), name="acme")
    with pytest.raises(PluginConflictError, match="called 'acme'"):
        Registry(points=ours("acme"))


def test_two_plugins_with_one_modality_are_refused() -> None:
    second = ModuleType("second")
    second.mbti_modalities = toy_plugin.mbti_modalities  # type: ignore[attr-defined]  # made here
    registry = Registry(points=[])
    registry.register(toy_plugin, "toy")
    registry.register(second, "second")
    with pytest.raises(PluginConflictError, match="modality 'toy'"):
        _ = registry.modalities


def test_a_blocked_plugin_is_listed_and_not_imported(install, monkeypatch: pytest.MonkeyPatch) -> None:
    module = install("acme-attacks", "raise SystemExit('imported')", name="acme")
    monkeypatch.setenv("MBTI_DISABLE_PLUGINS", "other,acme")
    registry = Registry(points=ours("acme"))
    assert status_of(registry, "acme").blocked
    assert module not in sys.modules


def test_a_component_of_a_blocked_plugin_says_so(install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("acme-attacks", REGISTERS, name="acme")
    monkeypatch.setenv("MBTI_DISABLE_PLUGINS", "acme")
    with pytest.raises(UnknownComponentError) as caught:
        Registry(points=ours("acme")).find("attack", "acme", "toy")
    assert "MBTI_DISABLE_PLUGINS" in caught.value.hint


def test_an_unknown_name_brings_near_ones_and_the_listing() -> None:
    registry = Registry(points=[])
    registry.register(toy_plugin, "toy")
    with pytest.raises(UnknownComponentError) as caught:
        registry.find("attack", "stam", "toy")
    assert caught.value.message == "No attack for toy is called 'stam'."
    assert caught.value.hint.startswith("Did you mean stamp")
    assert "mbti list attacks" in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "name", "modality", "hint"),
    [
        ("attack", "badnets", "image", "pip install mbti-image"),
        ("model", "audio/x", None, "pip install mbti-audio"),
        ("defense", "strip", "toy", "pip install mbti-defenses"),
    ],
)
def test_a_missing_package_is_named(kind: str, name: str, modality: str | None, hint: str) -> None:
    with pytest.raises(MissingPluginError) as caught:
        Registry(points=[]).find(kind, name, modality)
    assert caught.value.hint == hint


def test_any_belongs_to_every_modality() -> None:
    registry = Registry(points=[])
    assert registry.find("noise", "mislabel", "toy") == registry.find("noise", "any/mislabel")
    assert "any/mislabel" in [r.component.id for r in registry.components("noise", "toy")]


def test_extra_plugins_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MBTI_EXTRA_PLUGINS", toy_plugin.EXTRA)
    registry = Registry()
    assert status_of(registry, "toy").module == "mbti_core.testing.toy_plugin"
    assert registry.find("attack", "stamp", "toy").plugin == "toy"


@pytest.mark.parametrize("value", ["toy", "=module", "toy="])
def test_malformed_extra_plugins_are_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MBTI_EXTRA_PLUGINS", value)
    with pytest.raises(ConfigError, match="expected name=module"):
        Registry()


def test_registering_by_hand_brings_new_modalities() -> None:
    registry = Registry(points=[])
    assert "toy" not in registry.modalities
    registry.register(toy_plugin, "toy")
    assert registry.modalities["toy"].name == "toy"


def test_tracing_writes_each_hook_call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MBTI_TRACE_HOOKS", "1")
    registry = Registry(points=[])
    registry.register(toy_plugin, "toy")
    _ = registry.modalities
    assert "mbti_modalities" in capsys.readouterr().err


def test_loading_and_listing_never_import_torch() -> None:
    code = (
        "import sys; from mbti_core.plugins.manager import Registry; names = [r.component.id for r in"
        " Registry().components()]; assert 'toy/stamp' in names; assert 'torch' not in sys.modules"
    )
    env = os.environ | {"MBTI_EXTRA_PLUGINS": toy_plugin.EXTRA}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
