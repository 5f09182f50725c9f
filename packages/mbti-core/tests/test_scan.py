"""``mbti scan``: a model and data from files, on the toy modality."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy import integrate, stats

from mbti_core import scan
from mbti_core.contracts.given import ErrorRates
from mbti_core.plugins.hookspecs import hookimpl
from mbti_core.plugins.manager import registry
from mbti_core.results.alarm import raises_alarm, surplus_by_chance

Call = Callable[..., Any]
SPEC = """\
schema: 1
modality: toy
dataset: {name: blobs}
attack: {name: stamp, ratio: 0.1}
model: conv
train: {epochs: 12, lr: 0.05, batch_size: 32}
"""
ROLES = ("victim", "twin", "train", "benign", "reserve")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty folder that the first test fills."""
    return tmp_path_factory.mktemp("exported")


@pytest.fixture
def given(mbti: Call, exported: Path) -> Call:
    """Export a backdoored and a benign model with their data, once; call ``mbti scan`` beside them."""
    if not (exported / ROLES[-1]).exists():
        Path("run.yaml").write_text(SPEC)
        assert mbti("run", "run.yaml", "--no-report").code == 0
        for role in ROLES:
            assert mbti("export", "run.yaml", "--role", role, "--output", str(exported / role)).code == 0
    for role in ROLES:
        shutil.copytree(exported / role, role)
    return lambda *words: mbti("scan", *words)


@pytest.fixture
def measured() -> Iterator[None]:
    """Say of both toy detectors that they err seldom."""
    rates = [ErrorRates(f"toy/{name}", "toy", "a bench", 10, 9, 10, 0) for name in ("probe", "outlier")]

    class Rates:
        @hookimpl
        def mbti_error_rates(self) -> list[ErrorRates]:
            return rates

    registry().register(Rates(), "rates")
    yield
    registry.cache_clear()


BAD = ("--model", "victim", "--data", "train", "--clean", "reserve")
GOOD = ("--model", "twin", "--data", "benign", "--clean", "reserve")


def test_a_backdoored_model_is_suspicious_with_reasons_triggers_and_samples(given: Call, measured: None) -> None:
    answer = given(*BAD, "--json", "--sarif", "out.sarif")
    found = answer.json
    assert answer.code == 6
    assert found["verdict"] == "suspicious"
    said = {f["defense"]: f for f in found["findings"]}
    assert said["toy/probe"]["classes"] == ["north-west"]
    assert "9 of 10 found, 0 of 10 benign ones suspected" in " ".join(found["why"])
    weight = (9.5 / 11) / (0.5 / 11)
    assert f"{weight**2:.0f} times likelier of a backdoored model" in found["why"][-1]
    with Path("train/rows.csv").open(newline="") as file:
        poisoned = {row["file"] for row in csv.DictReader(file) if row["kind"] == "poisoned"}
    first = [s["name"] for s in found["suspects"][: len(poisoned)]]
    assert len(poisoned & set(first)) > 0.9 * len(poisoned)
    places = [Path(place) for place in found["triggers"]["probe/north-west"]]
    assert [place.stem for place in places] == ["trigger-probe-north-west", "trigger-probe-north-west-2"]
    trigger = places[0].read_bytes()
    assert trigger[-1] == 255  # the bright corner
    assert "<h1>Suspicious</h1>" in Path(found["report"]).read_text()
    document = json.loads(Path("out.sarif").read_text())
    assert document["version"] == "2.1.0"
    rules = {rule["id"] for rule in document["runs"][0]["tool"]["driver"]["rules"]}
    results = document["runs"][0]["results"]
    assert {r["ruleId"] for r in results} <= rules
    place = next(r for r in results if r["ruleId"] == "toy/outlier")["locations"][0]["physicalLocation"]
    assert Path(place["artifactLocation"]["uri"]).is_file()


def test_a_benign_model_has_nothing_found(given: Call, measured: None) -> None:
    answer = given(*GOOD)
    assert answer.code == 0
    assert answer.out.startswith("nothing found\n")
    assert "no class stands out" in answer.out
    assert f"{(10.5 / 1.5) ** 2:.0f} times likelier of a benign model" in answer.out


def test_an_alarm_of_a_defense_whose_errors_nobody_knows_is_not_enough(given: Call) -> None:
    answer = given(*BAD, "--defense", "probe", "--json")
    assert (answer.code, answer.json["verdict"]) == (0, "not sure")
    assert "never measured" in answer.json["why"][0]


def test_two_of_them_that_suspect_one_class_are(given: Call) -> None:
    answer = given(*BAD, "--json")
    assert (answer.code, answer.json["verdict"]) == (6, "suspicious")
    assert "suspect the same class, 'north-west'" in answer.json["why"][0]


def test_without_clean_samples_it_is_not_sure_and_says_what_it_could_not_run(given: Call, measured: None) -> None:
    answer = given("--model", "twin", "--data", "benign")
    assert (answer.code, answer.out.splitlines()[0]) == (0, "not sure")
    assert "not run: outlier, probe: needs clean samples, --clean" in answer.out


def test_a_file_of_weights_needs_an_architecture(given: Call) -> None:
    answer = given("--model", "victim/weights.safetensors", "--data", "train")
    assert answer.code == 2
    assert "--arch MODALITY/NAME" in answer.err
    named = given("--model", "victim/weights.safetensors", "--arch", "toy/conv", *BAD[2:], "--json")
    assert named.json["model"]["arch"] == "toy/conv"
    assert named.json["remarks"] == ["The model's classes are taken to be in the order of their names."]
    other = given("--model", "victim/weights.safetensors", "--arch", "toy/mlp", *BAD[2:])
    assert other.code == 4
    assert "do not fit toy/mlp" in other.err


def test_labels_count_in_the_models_order_of_classes(given: Call) -> None:
    found = given(*GOOD, "--json").json
    assert found["data"]["accuracy"] > 0.9  # names sort otherwise than the labels count
    assert found["model"]["classes"] == ["north-west", "north-east", "south-west", "south-east"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--model", "nowhere", "--data", "train"), 4, "There is nothing at 'nowhere'"),
        (("--model", "victim", "--data", "nowhere"), 4, "Correct --data"),
        (("--model", "victim", "--data", "victim"), 4, "holds no samples of the model's kind (toy)"),
        (("--model", "victim", "--data", "train", "--clean", "strange"), 4, "'elsewhere' is no class of the model"),
        (("--model", "victim", "--data", "strange"), 4, "the model has 4 classes"),
        (("--model", "empty", "--data", "train"), 4, "model.json: expected what 'mbti export --role victim' writes"),
        (("--model", "victim", "--data", "train", "--defense", "prob"), 3, "Did you mean probe"),
        (("--model", "victim", "--data", "train", "--arch", "conv"), 2, "Choose among toy/conv"),
        (("--model", "victim", "--data", "train", "--set", "epochs=1"), 2, "expected NAME.KEY=VALUE"),
        (("--model", "victim", "--data", "train", "--set", "model.widht=1"), 2, "model.widht"),
    ],
)
def test_what_cannot_be_read_is_said(given: Call, words: tuple[str, ...], code: int, said: str) -> None:
    for name in ("north-west", "elsewhere"):
        Path("strange", name).mkdir(parents=True)
        shutil.copy(next(Path("train/north-west").glob("*.bin")), f"strange/{name}/0.bin")
    Path("empty").mkdir()
    Path("empty/model.json").write_text('{"arch": "toy/conv"}')
    answer = given(*words)
    assert (answer.code, said in answer.err) == (code, True), answer.err


def test_few_rows_are_drawn_by_class_and_it_is_said(given: Call) -> None:
    found = given(*BAD, "--rows", "100", "--json").json
    assert found["data"]["samples"] == 100
    assert "100 of 720 samples are looked at" in found["remarks"][0]


def test_from_python_too_and_the_number_of_threads_stays(given: Call) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = scan("victim", "train", "reserve", defenses=["probe"], rows=100)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)
    assert [f.name for f in found.ran] == ["probe"]
    assert (found.word, found.exit_code) == ("not sure", 0)


def test_the_chance_of_a_surplus_is_the_mean_of_binomial_tails_over_the_threshold() -> None:
    n, flagged, rate, rows = 60, 9, 0.05, 39
    share = stats.beta(rate * (rows + 1), (1 - rate) * (rows + 1))
    wanted, _ = integrate.quad(lambda p: share.pdf(p) * stats.binom.sf(flagged - 1, n, p), 0, 1)
    assert math.isclose(surplus_by_chance(flagged, n, rate, rows), wanted, rel_tol=1e-6)
    assert surplus_by_chance(flagged, n, rate, 0) == pytest.approx(stats.binom.sf(flagged - 1, n, rate))
    assert surplus_by_chance(0, n, 0.0, 0) == 1.0
    assert surplus_by_chance(1, n, 0.0, 0) == 0.0


def test_an_alarm_is_what_one_clean_data_set_in_twenty_raises() -> None:
    counts = stats.betabinom(400, 0.05 * 101, 0.95 * 101).rvs(20_000, random_state=0)
    alarms = [raises_alarm(count, 400, 0.05, 100) for count in range(401)]
    share = sum(alarms[count] for count in counts) / len(counts)
    assert 0.03 < share < 0.05
