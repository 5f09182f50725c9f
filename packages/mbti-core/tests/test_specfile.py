"""Specs: YAML 1.2, where each key stands, overrides, and every problem said with its place."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from mbti_core.contracts.component import Component
from mbti_core.engine.overrides import Override, lay, parse_set
from mbti_core.engine.problems import Problem, SpecError
from mbti_core.engine.specfile import SpecFile, load_spec
from mbti_core.errors import ConfigError, MissingPluginError, UnknownComponentError
from mbti_core.plugins.hookspecs import hookimpl
from mbti_core.plugins.manager import Registry

TEXT = """\
schema: 1
dataset: {name: blobs, train: 50}
attack:
  name: stripe
  ratio: 0.1
  size: 0
model: {name: mlp}
train:
  lr: 1e-2
  augment: no
defenses:
  - {name: score}
  - name: prune
    share: 3
"""


class Toy:
    """A plugin with two built-in experiments."""

    @hookimpl
    def mbti_register(self) -> list[Component]:
        return [Component("dataset", "dots/blobs", "nowhere:Blobs", "Blobs")]

    @hookimpl
    def mbti_specs(self) -> list[dict[str, object]]:
        return [
            {"name": "second", "priority": 20, "summary": "", "spec": {"modality": "waves", "dataset": "hums"}},
            {"name": "first", "priority": 10, "summary": "", "spec": {"modality": "dots", "dataset": "blobs"}},
        ]


@pytest.fixture
def reg() -> Registry:
    registry = Registry(points=[], blocked=frozenset())
    registry.register(Toy(), "toy")
    return registry


@pytest.fixture
def run_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("run.yaml").write_text(TEXT)
    return "run.yaml"


def write(text: str) -> str:
    Path("bad.yaml").write_text(text)
    return "bad.yaml"


def test_raw_is_plain_data_by_yaml_1_2(reg: Registry, run_yaml: str) -> None:
    raw = load_spec(run_yaml, reg).raw
    assert raw["train"] == {"lr": 0.01, "augment": "no"}
    assert [type(v) for v in (raw, raw["train"], raw["defenses"], raw["train"]["lr"], raw["attack"]["size"])] == [
        dict,
        dict,
        list,
        float,
        int,
    ]


def test_dates_are_texts_and_booleans_are_booleans(reg: Registry, run_yaml: str) -> None:
    raw = load_spec(write("name: 2020-01-01\ntrain: {augment: true, compile: False}\nseeds: 0-4\nnoise: ~"), reg).raw
    assert raw == {"name": "2020-01-01", "train": {"augment": True, "compile": False}, "seeds": "0-4", "noise": None}
    assert raw["train"]["augment"] is True


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("attack",), 3),
        (("attack", "size"), 6),
        (("dataset", "train"), 2),
        (("defenses", 0, "name"), 12),
        (("defenses", 1, "share"), 14),
        (("attack", "absent"), 3),
        (("absent",), 1),
        (("defenses", 7), 11),
        ((), 1),
    ],
)
def test_where_names_the_line_of_a_path_or_of_what_should_hold_it(
    reg: Registry, run_yaml: str, path: tuple[str | int, ...], line: int
) -> None:
    assert load_spec(run_yaml, reg).where(path) == f"run.yaml:{line}"


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("a: 1\na: 2\n", 'bad.yaml:2:1: found duplicate key "a"'),
        ("attack: {name: x\ntrain: 3", "bad.yaml:2:6: expected ',' or '}'"),
        ("attack:\n\t- x", "bad.yaml:2:1: found character '\\t'"),
        ("attack: *x", "bad.yaml:1:9: found undefined alias 'x'"),
        ('attack: "x', "bad.yaml:1:11: found unexpected end of stream"),
        ("attack:\n  name: !!python/object:os.system x", "bad.yaml:2: expected a text, a number, true, false or null"),
        ("attack: {1: 2}", "bad.yaml:1: expected a text as key, got 1"),
        ("", "bad.yaml: expected keys such as 'dataset:' and 'model:', got an empty file"),
        ("- 1", "bad.yaml: expected keys such as 'dataset:' and 'model:', got a list"),
        ("a: " + "[" * 5000, "bad.yaml: not valid YAML: nested too deeply"),
        ("a: 1\n---\nb: 1\n", "bad.yaml:2:1: but found another document"),
        ("a: \x01", "bad.yaml: not valid YAML: unacceptable character"),
        ("schema: 2\nwhatever: 1", "bad.yaml:1: schema: expected at most 1, got 2."),
    ],
)
def test_malformed_specs_say_where_and_what_to_do(reg: Registry, run_yaml: str, text: str, start: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_spec(write(text), reg)
    assert caught.value.message.startswith(start)
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_a_shared_alias_is_no_loop(reg: Registry, run_yaml: str) -> None:
    assert load_spec(write("a: &x {b: 1}\nc: *x\nd: *x"), reg).raw["d"] == {"b": 1}


def test_files_that_cannot_be_read(reg: Registry, run_yaml: str, tmp_path: Path) -> None:
    Path("latin.yaml").write_bytes(b"name: caf\xe9")
    for source, message in [
        ("absent.yaml", "There is no spec file 'absent.yaml'."),
        ("latin.yaml", "latin.yaml: expected UTF-8 text, got other bytes at position 9."),
        (str(tmp_path), f"{tmp_path}: cannot be read: Is a directory."),
    ]:
        with pytest.raises(ConfigError) as caught:
            load_spec(source, reg)
        assert caught.value.message == message


def test_without_a_source_the_first_built_in_experiment(reg: Registry) -> None:
    assert load_spec(None, reg).raw["dataset"] == "blobs"
    assert load_spec(None, reg, [Override("--modality", ("modality",), "waves")]).raw["dataset"] == "hums"
    assert load_spec("second", reg).raw["dataset"] == "hums"
    assert load_spec("second", reg).where(("dataset",)) == "built-in experiment 'second'"


def test_without_any_built_in_experiment_the_hint_says_what_to_install() -> None:
    with pytest.raises(MissingPluginError, match="No installed plugin offers a built-in experiment") as caught:
        load_spec(None, Registry(points=[], blocked=frozenset()))
    assert "pip install mbti-" in caught.value.hint


def test_a_misspelled_built_in_experiment_gets_near_names(reg: Registry) -> None:
    with pytest.raises(ConfigError) as caught:
        load_spec("frist", reg)
    assert caught.value.hint.startswith("Did you mean first?")


def test_a_mapping_has_no_place() -> None:
    assert load_spec({"dataset": {"name": "blobs"}, "seeds": (0, 1)}, Registry([], frozenset())) == SpecFile(
        {"dataset": {"name": "blobs"}, "seeds": [0, 1]}
    )


def test_set_reads_yaml_values() -> None:
    for text, value in [
        ("0.05", 0.05),
        ("1e-3", 0.001),
        ("true", True),
        ("", None),
        ("[0, 1]", [0, 1]),
        ("all-to-all", "all-to-all"),
    ]:
        assert parse_set(f"attack.x={text}") == Override("--set attack.x", ("attack", "x"), value)
    assert parse_set("name=a=b").value == "a=b"
    assert parse_set("grid.attack.ratio=[0.1]").path == ("grid", "attack.ratio")


@pytest.mark.parametrize("text", ["attack", "=3", "attack..x=3", "attack.x=[1", "attack.x=!!a b"])
def test_set_refuses_what_is_no_assignment(text: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        parse_set(text)


def test_overrides_are_laid_over_the_spec_and_named_in_errors(reg: Registry, run_yaml: str) -> None:
    overrides = [parse_set("attack.size=-1"), parse_set("defenses.prune.share=0.5"), parse_set("train.epochs=2")]
    spec = load_spec(run_yaml, reg, overrides)
    assert spec.raw["attack"]["size"] == -1
    assert spec.raw["defenses"][1] == {"name": "prune", "share": 0.5}
    assert spec.raw["train"] == {"lr": 0.01, "augment": "no", "epochs": 2}
    assert spec.where(("attack", "size")) == "--set attack.size"
    assert spec.where(("attack", "ratio")) == "run.yaml:5"
    assert spec.where(("attack",)) == "run.yaml:3"
    assert load_spec(run_yaml, reg, [parse_set("atack.size=1")]).where(("atack",)) == "--set atack.size"
    assert spec.where(("defenses", 1, "share")) == "--set defenses.prune.share"


def test_naming_another_component_keeps_what_is_not_its_own() -> None:
    raw = {
        "name": "mine",
        "attack": {"name": "stripe", "ratio": 0.2, "target": 1, "size": 3},
        "model": {"name": "mlp", "weights": "w"},
    }
    for override in (
        Override("--attack", ("attack",), "blend"),
        parse_set("attack=blend"),
        parse_set("attack.name=blend"),
    ):
        assert lay(raw, override) == (
            {"attack": {"name": "blend", "ratio": 0.2, "target": 1}, "model": {"name": "mlp", "weights": "w"}},
            ("attack", "name"),  # the ratio beside it was written elsewhere
        )
    assert lay(raw, parse_set("attack=stripe"))[0]["attack"] == raw["attack"]
    assert lay(raw, parse_set("attack=none"))[0]["attack"] == "none"
    assert lay(raw, parse_set("model=cnn"))[0]["model"] == {"name": "cnn"}
    assert raw["name"] == "mine"


def test_naming_defenses_replaces_the_list_and_keeps_settings_of_those_that_stay() -> None:
    raw = {"defenses": [{"name": "strip", "frr": 0.1}, "ac"], "noise": {"name": "blur", "share": 0.5}}
    chosen = Override("--defense", ("defenses",), ["ac", "strip", "ft"])
    assert lay(raw, chosen)[0]["defenses"] == ["ac", {"name": "strip", "frr": 0.1}, {"name": "ft"}]
    assert lay(raw, Override("--defense", ("defenses",), ["none"]))[0]["defenses"] == []
    assert lay(raw, Override("--noise", ("noise",), ["blur"]))[0]["noise"] == [{"name": "blur", "share": 0.5}]
    assert lay(raw, parse_set("defenses.0.frr=0.2"))[0]["defenses"][0] == {"name": "strip", "frr": 0.2}
    assert lay(raw, parse_set("defenses.ac.k=3"))[0]["defenses"][1] == {"name": "ac", "k": 3}
    assert lay(raw, parse_set("defenses.ac=ft"))[0]["defenses"][1] == "ft"


def test_a_component_given_by_name_alone_takes_settings() -> None:
    assert lay({"attack": "stripe"}, parse_set("attack.size=2"))[0] == {"attack": {"name": "stripe", "size": 2}}
    assert lay({}, parse_set("train.lr=1"))[0] == {"train": {"lr": 1}}


def test_what_the_command_line_sets_varies_no_longer() -> None:
    raw = {"attack": "stripe", "grid": {"attack.ratio": [0.1, 0.2], "train.lr": [1, 2]}}
    assert lay(raw, parse_set("attack.ratio=0.3"))[0]["grid"] == {"train.lr": [1, 2]}
    assert lay(raw, parse_set("grid.attack.ratio=[0.3]"))[0]["grid"]["attack.ratio"] == [0.3]


@pytest.mark.parametrize("text", ["defenses.strp.frr=1", "defenses.9.frr=1", "attack.ratio.x=1", "seeds.train=[1]"])
def test_a_path_that_leads_nowhere(text: str) -> None:
    raw = {"defenses": [{"name": "strip"}], "attack": {"name": "a", "ratio": 0.1}, "seeds": "0-4"}
    with pytest.raises(ConfigError, match=f"--set {text.partition('=')[0]}: ") as caught:
        lay(raw, parse_set(text))
    assert caught.value.hint


def test_all_problems_at_once_each_with_its_place(
    reg: Registry, run_yaml: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = [
        Problem(("attack", "size"), "expected an integer of at least 1, got 0."),
        Problem(("defenses", 1, "share"), "expected a number of at most 1, got 3."),
        Problem(("train", "lr"), "expected a number above 0, got -1."),
    ]

    def resolve(raw: object, registry: object) -> None:
        raise SpecError(problems)

    monkeypatch.setitem(__import__("sys").modules, "mbti_core.engine.resolve", SimpleNamespace(resolve=resolve))
    with pytest.raises(SpecError) as caught:
        load_spec(run_yaml, reg, [parse_set("train.lr=-1")]).resolve(reg)
    lines = caught.value.message.splitlines()
    assert lines[0] == "run.yaml:6: attack.size: expected an integer of at least 1, got 0."
    assert lines[1] == "run.yaml:14: defenses.1.share: expected a number of at most 1, got 3."
    assert lines[2].startswith("--set train.lr: ")
    assert caught.value.hint == "Run 'mbti show attack stripe' for its settings."


def test_unknown_components_pass_through(reg: Registry, run_yaml: str) -> None:
    with pytest.raises(UnknownComponentError, match="No dataset for dots is called 'blob'") as caught:
        load_spec(run_yaml, reg, [parse_set("dataset=blob"), parse_set("modality=dots")]).resolve(reg)
    assert "blobs" in caught.value.hint
