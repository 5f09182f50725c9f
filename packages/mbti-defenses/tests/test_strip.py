from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from mbti_core.contracts.defense import CleanSet, DefenseContext
from mbti_core.data.rng import Draws
from mbti_core.errors import ConfigError, NotSupportedError
from mbti_core.plugins.manager import Registry
from mbti_defenses.detect import strip
from mbti_defenses.detect.strip import STRIP


class Constant(nn.Module):
    """Answers the same logits whatever it is shown."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.row = nn.Parameter(torch.tensor(logits))

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros(len(x), 1) + self.row


class Pixel(nn.Module):
    """Surely class 3 where the first pixel is full, else the nearest of three levels of brightness, less surely."""

    def forward(self, x: Tensor) -> Tensor:
        away = (x.mean((1, 2, 3))[:, None] - torch.tensor([0.2, 0.4, 0.6, 9.0])).abs()  # (B, 4)
        full = (x[:, 0, 0, 0] >= 1)[:, None]
        return torch.where(full, torch.tensor([0.0, 0.0, 0.0, 20.0]), -10 * away)


def mixed_brightness(n: int, stream: str) -> Tensor:
    """Return (n, 1, 12, 12) uint8 rows of very different brightness, none full."""
    rows, draws = torch.arange(n), Draws(5).stream(stream)
    level = 100 * draws.uniform(rows, (1, 1, 1))
    return (level + 20 * draws.stream("cell").uniform(rows, (1, 12, 12))).to(torch.uint8)


@pytest.fixture
def grids(labelled) -> CleanSet:
    zero = torch.zeros(100, dtype=torch.int64)
    return CleanSet(labelled(mixed_brightness(100, "fit"), zero), labelled(mixed_brightness(100, "cal"), zero))


@pytest.mark.parametrize(("logits", "entropy"), [([1e3, 0, 0, 0], 0.0), ([2.0, 2, 2, 2], math.log(4))])
def test_constant_predictions_have_the_entropy_of_their_distribution(bench, grids, logits, entropy):
    subject = bench.subject(Constant(logits))
    out = STRIP(overlays=8).defend(bench.view(subject, grids.calibrate, grids), bench.context(subject))
    assert torch.allclose(-out.scores, torch.tensor(entropy), atol=1e-6)
    assert out.keep.all()  # ties with the threshold are no evidence


def test_a_trigger_that_survives_superposition_is_ranked_apart(bench, grids, labelled):
    x = mixed_brightness(80, "suspects")
    x[40:, 0, 0, 0] = 255
    subject = bench.subject(Pixel())
    suspects = labelled(x, torch.zeros(80, dtype=torch.int64))
    out = STRIP().defend(bench.view(subject, suspects, grids), bench.context(subject))
    assert roc_auc_score(torch.arange(80) >= 40, out.scores) == 1.0
    assert not out.keep[40:].any()


def test_entropies_agree_with_a_loop_over_single_pairs(bench, benign, clean, labelled):
    ctx = bench.context(benign.subject)
    suspects = labelled(benign.suspects.x.data[:9], benign.suspects.y[:9])
    drawn = torch.tensor([4, 17, 2, 61, 90])
    got = STRIP().entropies(benign.subject, suspects, clean.fit, drawn, ctx)
    for row, entropy in enumerate(got.tolist()):
        single = []
        for overlay in drawn.tolist():
            total = suspects.x.data[row].numpy().astype(int) + clean.fit.x.data[overlay].numpy().astype(int)
            grid = torch.from_numpy(np.clip(total, 0, 255).astype(np.float32) / 255)[None]
            with torch.no_grad():
                logits = benign.subject.model(grid).double().numpy()[0]
            single.append(stats.entropy(np.exp(logits - logits.max())))
        assert entropy == pytest.approx(np.mean(single), abs=1e-5)


def test_chunks_and_order_do_not_count(bench, benign, clean, labelled, monkeypatch):
    view, ctx = bench.view(benign.subject, benign.suspects, clean), bench.context(benign.subject)
    usual = STRIP(overlays=10).defend(view, ctx)
    monkeypatch.setattr(strip, "PAIRS", 7)
    turned = torch.arange(29, -1, -1)
    some = labelled(benign.suspects.x.data[turned], benign.suspects.y[turned])
    again = STRIP(overlays=10).defend(bench.view(benign.subject, some, clean), ctx)
    assert torch.allclose(again.scores, usual.scores[turned], atol=1e-6)
    assert again.threshold == pytest.approx(usual.threshold, abs=1e-6)


@pytest.mark.parametrize("frr", [0.05, 0.2])
def test_the_flag_rate_on_fresh_clean_samples_is_the_preset_one(bench, benign, blobs, frr):
    clean = CleanSet(blobs(50, "pool"), blobs(8000, "many"))
    fresh = blobs(2000, "fresh")
    subject = benign.subject
    out = STRIP(overlays=4, frr=frr).defend(bench.view(subject, fresh, clean), bench.context(subject))
    assert abs(float((~out.keep).float().mean()) - frr) < 3 * math.sqrt(frr * (1 - frr) / 2000)


def test_the_quantile_expects_the_preset_rate_of_small_sets_too():
    draws = np.random.default_rng(0).random((4000, 39))  # uniform: the flag rate of a threshold is the threshold itself
    rates = [STRIP(frr=0.1).floor(torch.from_numpy(row)) for row in draws]
    assert np.mean(rates) == pytest.approx(0.1, abs=3 * np.std(rates) / math.sqrt(len(rates)))


def test_the_normal_threshold_is_that_of_the_fitted_distribution():
    usual = torch.from_numpy(np.random.default_rng(1).gamma(3.0, size=200))
    mean, deviation = stats.norm.fit(usual.numpy())
    expected = stats.norm.ppf(0.02, mean, deviation)
    assert STRIP(frr=0.02, calibration="normal").floor(usual) == pytest.approx(expected, rel=1e-6)


def test_model_and_mode_stay_and_forwards_are_counted(bench, victim, clean):
    model = victim.subject.model.train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    seen = []
    handle = model.register_forward_hook(lambda module, args, output: seen.append(len(output)))
    out = STRIP(overlays=3).defend(bench.view(victim.subject, victim.suspects, clean), bench.context(victim.subject))
    handle.remove()
    assert model.training
    model.eval()
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert sum(seen) == out.notes["forwards"] == 3 * (800 + 100)


def test_a_small_budget_gives_fewer_overlays(bench, benign, blobs):
    clean = CleanSet(blobs(5, "few"), blobs(5, "fewer"))
    out = STRIP().defend(bench.view(benign.subject, benign.suspects, clean), bench.context(benign.subject))
    assert out.notes["overlays"] == 5
    assert bool(out.scores.isfinite().all())


@pytest.mark.parametrize(("fit", "calibrate", "purpose"), [(0, 4, "lay over"), (4, 0, "calibrate")])
def test_no_clean_samples_is_an_error(bench, benign, blobs, fit, calibrate, purpose):
    clean = CleanSet(blobs(fit, "a"), blobs(calibrate, "b"))
    with pytest.raises(ConfigError, match=f"at least 1 clean sample to {purpose}.*got 0") as error:
        STRIP().defend(bench.view(benign.subject, benign.suspects, clean), bench.context(benign.subject))
    assert "budget" in error.value.hint


def test_a_modality_that_nobody_superimposes_is_unsupported(bench, benign, clean):
    ctx = bench.context(benign.subject)
    bare = Registry(points=[], blocked=frozenset()).adapters.asked_by("any/strip")
    alone = DefenseContext(bare, ctx.draws, ctx.device, ctx.info)
    with pytest.raises(NotSupportedError, match="any/strip needs mbti_superimpose for toy"):
        STRIP().defend(bench.view(benign.subject, benign.suspects, clean), alone)


@pytest.mark.learn
def test_a_trained_backdoor_is_found(bench, victim, clean):
    out = STRIP().defend(bench.view(victim.subject, victim.suspects, clean), bench.context(victim.subject))
    assert roc_auc_score(victim.poisoned, out.scores) > 0.9


def test_settings_out_of_range_are_refused():
    for wrong in ({"frr": 0.0}, {"frr": 1.0}, {"overlays": 0}, {"weight": -1.0}, {"calibration": "mean"}):
        with pytest.raises(ValueError, match="Input should be"):
            STRIP(**wrong)


def test_weight_zero_leaves_the_plain_prediction(bench, benign, clean):
    subject = benign.subject
    out = STRIP(weight=0.0, overlays=3).defend(bench.view(subject, benign.suspects, clean), bench.context(subject))
    logits = subject.logits(benign.suspects.x.data).double().numpy()
    plain = stats.entropy(np.exp(logits), axis=1)
    assert np.allclose(-out.scores.numpy(), plain, atol=1e-5)
