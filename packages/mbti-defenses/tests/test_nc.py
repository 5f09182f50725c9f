from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from mbti_core.contracts.defense import CleanSet
from mbti_core.data.rng import Draws
from mbti_core.errors import ConfigError
from mbti_core.testing import toy
from mbti_defenses.inspect import nc
from mbti_defenses.inspect.inversion import Search, _Weights, invert
from mbti_defenses.inspect.nc import NC, anomaly, contrast, held, median

CLASSES = 8


class Ruled(nn.Module):
    """The class of the brightest eighth, but class 7 wherever the 3 x 3 pixels of a corner are white."""

    def __init__(self, *, backdoor: bool) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(10.0))
        self.push = 13.0 if backdoor else 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.gain * x.flatten(1).unflatten(1, (CLASSES, -1)).mean(2)
        corner = x[..., :3, :3].mean((1, 2, 3)).square()
        return torch.cat([found[:, :7], found[:, 7:] + self.push * corner[:, None]], 1)


def ruled(bench, labelled, *, backdoor: bool = True):
    subject = bench.subject(Ruled(backdoor=backdoor).eval(), CLASSES)
    x = torch.randint(0, 60, (300, CLASSES, 18), generator=torch.Generator().manual_seed(1))
    y = torch.arange(300) % CLASSES
    x[torch.arange(300), y] += 150
    data = labelled(x.view(300, 1, 12, 12).to(torch.uint8), y)
    return subject, CleanSet(fit=data, calibrate=data)


def space_of(bench, subject):
    return bench.registry.adapters.trigger_space(subject.model, subject.info, toy.SPEC)


def test_the_class_that_a_patch_leads_to_is_flagged_and_the_patch_is_found(bench, labelled):
    subject, clean = ruled(bench, labelled)
    out = NC(steps=60, epochs=1).defend(bench.view(subject, clean=clean), bench.context(subject))
    assert out.verdict.backdoored
    assert out.verdict.targets == (7,)
    assert out.verdict.score == max(out.verdict.per_class) > 2
    assert out.notes["size/7"] <= 12
    assert out.notes["success/7"] >= 0.98
    assert set(out.triggers) == {7}
    assert float(out.triggers[7][0][0, 0, :3, :3].double().mean()) > 150  # of 255: the white corner
    assert float(out.triggers[7][0].double().mean()) < 25
    found = invert(subject, space_of(bench, subject), clean.fit, torch.tensor([7]), Search(steps=60), Draws(0))
    mask = found.params["mask"][0, 0, 0].sigmoid() > 0.5
    patch = torch.zeros(12, 12, dtype=torch.bool)
    patch[:3, :3] = True
    assert (mask & patch).sum() / (mask | patch).sum() > 0.5


def test_a_model_without_a_shortcut_is_left_as_it_is(bench, labelled):
    subject, clean = ruled(bench, labelled, backdoor=False)
    out = NC(steps=30).defend(bench.view(subject, clean=clean), bench.context(subject))
    assert not out.verdict.backdoored
    assert not out.triggers
    assert out.verdict.targets == ()
    assert out.model is not subject.model
    x = clean.fit.x.data
    assert torch.equal(subject.with_model(out.model).logits(x), subject.logits(x))


def test_all_classes_at_once_give_what_each_alone_gives(bench, labelled):
    subject, clean = ruled(bench, labelled)
    space, search = space_of(bench, subject), Search(steps=45, batches=2, patience=2, settle=4, factor=3.0)
    together = invert(subject, space, clean.fit, torch.arange(CLASSES), search, Draws(3))
    assert len(set(together.steps.tolist())) > 1  # some left early
    for c in range(CLASSES):
        alone = invert(subject, space, clean.fit, torch.tensor([c]), search, Draws(3))
        assert int(alone.steps) == int(together.steps[c])
        torch.testing.assert_close(alone.size[0], together.size[c], rtol=1e-3, atol=1e-3)
        for name, values in alone.params.items():
            torch.testing.assert_close(values[0], together.params[name][c], rtol=1e-2, atol=1e-2)


def test_the_model_stays_as_it_was(bench, victim, clean):
    model = victim.subject.model.train()
    model.zero_grad(set_to_none=True)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    NC(steps=2).defend(bench.view(victim.subject, clean=clean), bench.context(victim.subject))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(m.training for m in model.modules())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    model.eval()


def test_the_weight_of_the_size_rises_with_success_and_falls_faster_without():
    weights = _Weights(2, Search(patience=2, settle=3, cost=1.0, factor=2.0))
    at = torch.arange(2)
    script = [(0.99, 0.5), (0.99, 0.5), (0.99, 0.5), (0.99, 0.99)]
    seen = []
    for step, (a, b) in enumerate(script):
        weights.update(at, torch.tensor([a, b], dtype=torch.float64), torch.tensor([9.0 - step, 5.0]).double())
        seen.append([round(w, 4) for w in weights.weight.tolist()])
    fall = round(2**-1.5, 4)
    assert seen == [[1.0, 1.0], [2.0, fall], [2.0, fall], [4.0, fall]]
    assert weights.best.tolist() == [6.0, 5.0]
    assert weights.rose.tolist() == [True, False]
    assert weights.fell.tolist() == [False, True]


def test_a_class_is_done_when_its_size_has_settled_and_its_weight_went_both_ways():
    weights = _Weights(1, Search(patience=1, settle=2, factor=2.0))
    at, done = torch.arange(1), []
    for share, size in ((0.5, 9.0), (0.99, 8.0), (0.99, 8.0), (0.99, 8.0), (0.99, 4.0), (0.99, 4.0), (0.99, 4.0)):
        _, over = weights.update(at, torch.tensor([share], dtype=torch.float64), torch.tensor([size]).double())
        done.append(bool(over))
    assert done == [False, False, False, True, False, False, True]


def test_the_index_is_the_distance_in_median_deviations():
    # The authors' sample: median 64.47, deviation 13.24, size 16.12, index 3.65.
    spread = 13.24 / 1.4826
    signs = torch.tensor([64.47 - spread] * 20 + [64.47] + [64.47 + spread] * 21 + [16.12]).double()
    assert float(anomaly(signs, 1e-9)[-1]) == pytest.approx(3.65, abs=0.01)
    assert (anomaly(signs, 1e-9)[signs > 64.47] == 0).all()
    assert anomaly(torch.full((6,), 3.0).double(), 0.15).tolist() == [0.0] * 6
    assert anomaly(torch.tensor([3.0] * 6 + [2.7]).double(), 0.15)[-1] == pytest.approx(2.0)


def test_sizes_are_judged_as_factors_with_a_limit_for_all_classes_together():
    sizes = torch.tensor([0.35, 9.6, 4.3, 2.0, 28.2, 5.1, 8.5, 6.9, 7.4, 5.6]).double()
    scores, limit = NC().judged(sizes)
    assert limit == pytest.approx(2.5758, abs=1e-4)  # the normal quantile of 0.995
    assert torch.nonzero(scores > limit).flatten().tolist() == [0]
    assert torch.allclose(NC().judged(1000 * sizes)[0], scores)
    logs = sorted(math.log(size) for size in sizes.tolist())
    middle = (logs[4] + logs[5]) / 2
    apart = sorted(abs(x - middle) for x in logs)
    wanted = (middle - math.log(0.35)) / (1.4826 * (apart[4] + apart[5]) / 2)
    assert float(scores[0]) == pytest.approx(wanted)
    alike, _ = NC().judged(torch.tensor([100.0] * 6 + [100 / 1.05**2]).double())
    assert float(alike[-1]) == pytest.approx(2.0)  # a factor of 1.05 at least
    assert NC().judged(torch.tensor([0.0, 5.0, 6.0, 7.0, 8.0]).double())[0].isfinite().all()


def test_of_few_classes_the_ratio_to_the_others_counts():
    assert contrast(torch.tensor([8.0, 2.0])).tolist() == [0.25, 4.0]
    assert contrast(torch.tensor([9.0, 3.0, 6.0])).tolist() == [0.5, 2.5, 1.0]
    assert float(median(torch.tensor([1.0, 2.0, 5.0, 7.0]))) == 3.5


def test_no_clean_samples_is_an_error(bench, victim, blobs):
    clean = CleanSet(blobs(0, "none"), blobs(3, "some"))
    with pytest.raises(ConfigError, match="NC needs at least 1 clean sample to search triggers with, got 0"):
        NC().defend(bench.view(victim.subject, clean=clean), bench.context(victim.subject))


@pytest.mark.learn
def test_a_backdoor_is_found_and_unlearned(bench, conv_victim, clean, blobs):
    subject = conv_victim.subject
    out = NC(steps=60, epochs=10).defend(bench.view(subject, clean=clean), bench.context(subject))
    assert out.verdict.targets == (0,)
    test = blobs(400, "test")
    stamped = toy.stamp(test.x.data[test.y != 0], 2, 255)
    repaired = subject.with_model(out.model)
    before, after = ((s.logits(stamped).argmax(1) == 0).double().mean() for s in (subject, repaired))
    assert before > 0.9
    assert after < 0.2
    assert (repaired.predict(test.x) == test.y).double().mean() > 0.9


class Thresholds:
    """Triggers that lead the samples below a brightness to class 0; inputs hold four of them."""

    def discrete(self, params: dict[str, torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        return [{"below": params["below"] * share} for share in (0.8, 1.0, 0.7, 0.75)]

    def lift(self, model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)[:, 0]

    def apply(self, lifted: torch.Tensor, params: dict[str, torch.Tensor]) -> torch.Tensor:
        return lifted - params["below"]

    def logits(self, model: nn.Module, lifted: torch.Tensor) -> torch.Tensor:
        return torch.stack([-lifted, lifted], 1)


def test_unlearned_are_the_forms_of_a_trigger_that_lead_nearly_as_many_samples_as_the_nearest(bench, labelled):
    subject = bench.subject(Ruled(backdoor=False).eval(), CLASSES)
    x = (torch.arange(0, 250, 2.5) + 1).to(torch.uint8).view(100, 1, 1, 1).expand(100, 1, 12, 12)
    data = labelled(x.contiguous(), torch.ones(100, dtype=torch.long))
    found = held(Thresholds(), {"below": torch.tensor(250 / 255)}, 0, subject, data)
    assert [trigger.target for trigger in found] == [0, 0, 0]
    shares = [float(trigger.params["below"]) / 250 * 255 for trigger in found]
    assert shares == pytest.approx([0.8, 1.0, 0.75])  # 0.7 falls short of nine tenths of 0.8
    nobody = held(Thresholds(), {"below": torch.tensor(250 / 255)}, 1, subject, data)
    assert len(nobody) == 4  # no sample of another class: none is worse than the nearest


@pytest.mark.parametrize(("rows", "epochs", "walks"), [(100, None, 200), (300, None, 67), (100, 4, 4)])
def test_a_trigger_is_unlearned_in_200_batches_unless_told_otherwise(
    monkeypatch, bench, victim, blobs, rows, epochs, walks
):
    found = []
    monkeypatch.setattr(nc, "fit_model", lambda fit: found.append(fit.config))
    NC(epochs=epochs).unlearned(victim.subject, [], blobs(rows, "some"), bench.context(victim.subject))
    (config,) = found
    assert config.batch_size == 128
    assert config.epochs == walks
