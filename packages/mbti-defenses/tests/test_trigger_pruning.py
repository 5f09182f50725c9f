from __future__ import annotations

import pytest
import torch
from torch import nn

from mbti_core.contracts.defense import CleanSet
from mbti_core.errors import ConfigError, NotSupportedError
from mbti_core.testing import toy
from mbti_defenses.inspect.nc import NC
from mbti_defenses.inspect.trigger_pruning import Reversed, pruned

CLASSES = 8
FIRST, LAST = slice(0, 3), slice(9, 12)  # rows and columns of a corner


class Wired(nn.Module):
    """The class of the brightest eighth, of which a unit each knows; further units know how bright a corner is."""

    def __init__(self, *wires: tuple[slice, int, float]) -> None:
        super().__init__()
        self.hidden = nn.Linear(144, CLASSES + len(wires), bias=False)
        self.head = nn.Linear(CLASSES + len(wires), CLASSES, bias=False)
        weight, read = torch.zeros(CLASSES + len(wires), 12, 12), torch.zeros(CLASSES, CLASSES + len(wires))
        weight[:CLASSES].view(CLASSES, CLASSES, 18)[range(CLASSES), range(CLASSES)] = 1 / 18
        read[:, :CLASSES] = 10 * torch.eye(CLASSES)
        for unit, (corner, goal, gain) in enumerate(wires, CLASSES):
            weight[unit, corner, corner] = gain / 9
            read[goal, unit] = 13 / gain**2
        self.hidden.weight = nn.Parameter(weight.flatten(1))
        self.head.weight = nn.Parameter(read)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.hidden(x.flatten(1))
        return self.head(torch.cat([found[:, :CLASSES], found[:, CLASSES:].square()], 1))


@pytest.fixture(scope="module")
def clean(labelled):
    x = torch.randint(0, 60, (240, CLASSES, 18), generator=torch.Generator().manual_seed(1))
    y = torch.arange(240) % CLASSES
    x[torch.arange(240), y] += 150
    x = x.view(240, 1, 12, 12).to(torch.uint8)
    return CleanSet(fit=labelled(x[:160], y[:160]), calibrate=labelled(x[160:], y[160:]))


def white(corner: slice, target: int) -> Reversed:
    mask = torch.full((1, 12, 12), -20.0)
    mask[:, corner, corner] = 20.0
    return Reversed(toy.MaskAndPattern(), {"mask": mask, "pattern": torch.full((1, 12, 12), 20.0)}, target)


def silent(model: nn.Module) -> list[int]:
    return torch.nonzero((model.hidden.weight == 0).all(1)).flatten().tolist()


def test_the_success_of_a_trigger_is_that_of_stamped_samples(bench, clean):
    subject, y = bench.subject(Wired((FIRST, 7, 0.7)).eval(), CLASSES), clean.fit.y
    stamped = clean.fit.x.data.clone()
    stamped[:, :, FIRST, FIRST] = 255
    expected = (subject.logits(stamped)[y != 7].argmax(1) == 7).double().mean()
    assert white(FIRST, 7).success(subject, clean.fit) == pytest.approx(float(expected)) == 1.0


@pytest.mark.parametrize(
    ("wires", "gone"),
    [
        ([(FIRST, 7, 1.0)], {7: [8]}),
        ([(FIRST, 7, 2.0), (FIRST, 7, 1.0)], {7: [8, 9]}),  # either alone is enough
        ([(FIRST, 7, 1.0), (LAST, 3, 1.0)], {7: [8], 3: [9]}),
    ],
)
def test_the_units_that_carry_triggers_go_and_no_other(bench, clean, wires, gone):
    subject = bench.subject(Wired(*wires).train(), CLASSES)
    before = {k: v.clone() for k, v in subject.model.state_dict().items()}
    triggers = [white(next(corner for corner, goal, _ in wires if goal == target), target) for target in gone]
    assert all(trigger.success(subject, clean.fit) > 0.9 for trigger in triggers)
    model, notes = pruned(subject, triggers, clean, bench.context(subject))
    assert silent(model) == sorted(unit for units in gone.values() for unit in units)
    assert {target: notes[f"removed/{target}"] for target in gone} == {t: len(units) for t, units in gone.items()}
    assert all(notes[f"left/{target}"] == 0 for target in gone)
    kept = [unit for unit in range(len(model.hidden.weight)) if unit not in silent(model)]
    assert torch.equal(model.hidden.weight[kept], before["hidden.weight"][kept])
    assert not model.training
    assert subject.model.training
    assert all(torch.equal(v, before[k]) for k, v in subject.model.state_dict().items())


def test_a_unit_that_a_class_depends_on_stays(bench, clean):
    model = Wired((FIRST, 7, 1.0)).eval()
    with torch.no_grad():  # unit 8 stands for class 2 as well: without it an eighth of the samples is lost
        model.hidden.weight[8] += model.hidden.weight[2]
        model.hidden.weight[2] = 0
        model.head.weight[[2, 7], 8] = torch.tensor([14.0, 0.0])
    subject, trigger = bench.subject(model, CLASSES), white(FIRST, 2)
    mended, notes = pruned(subject, [trigger], clean, bench.context(subject))
    assert notes["removed/2"] == 0
    assert notes["left/2"] == trigger.success(subject, clean.fit) > 0.9
    assert torch.equal(mended.hidden.weight, model.hidden.weight)


def test_the_trigger_that_a_search_finds_names_its_unit(bench, clean):
    subject = bench.subject(Wired((FIRST, 7, 1.0)).eval(), CLASSES)
    out = NC(steps=60, mitigation="prune").defend(bench.view(subject, clean=clean), bench.context(subject))
    assert out.verdict.targets == (7,)
    assert silent(out.model) == [8]
    assert out.notes["removed/7"] == 1


def test_without_a_flagged_class_nothing_goes(bench, clean):
    subject = bench.subject(Wired((FIRST, 7, 1.0)).eval(), CLASSES)
    with torch.no_grad():
        subject.model.head.weight[:, 8] = 0  # what knows the corner is not heard
    out = NC(steps=30, mitigation="prune").defend(bench.view(subject, clean=clean), bench.context(subject))
    assert out.verdict.targets == ()
    assert out.model is not subject.model
    assert torch.equal(out.model.hidden.weight, subject.model.hidden.weight)
    assert not [name for name in out.notes if name.startswith("removed")]


def test_nothing_to_measure_on_and_nothing_to_prune_is_said_before_the_search(bench, clean, labelled):
    subject, defense = bench.subject(Wired().eval(), CLASSES), NC(steps=10**9, mitigation="prune")
    bare = CleanSet(clean.fit, labelled(clean.fit.x.data[:0], clean.fit.y[:0]))
    with pytest.raises(ConfigError, match="NC needs at least 1 clean sample to measure the accuracy on, got 0"):
        defense.defend(bench.view(subject, clean=bare), bench.context(subject))
    flat = bench.subject(nn.Sequential(nn.Flatten(), nn.Linear(144, CLASSES)), CLASSES)
    with pytest.raises(NotSupportedError, match="NC needs layers whose units can be removed"):
        defense.defend(bench.view(flat, clean=clean), bench.context(flat))
