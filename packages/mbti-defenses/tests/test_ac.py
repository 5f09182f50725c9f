from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score, silhouette_score
from torch import Tensor, nn

from mbti_core.data.rng import Draws
from mbti_core.errors import NotSupportedError
from mbti_defenses.detect import ac
from mbti_defenses.detect.ac import AC


def gaussians(n: int, centers: list[int], seed: int = 0) -> Tensor:
    """Return (n, 1, 12, 12) unit Gaussians; the mean of row i is 10 along axis ``centers[i]`` (-1: none)."""
    x = np.random.default_rng(seed).normal(size=(n, 144))
    for row, axis in enumerate(centers):
        if axis >= 0:
            x[row, axis] += 10
    return torch.from_numpy(x.astype(np.float32)).view(n, 1, 12, 12)


@pytest.fixture
def subject(bench):
    """A model whose penultimate features are its input."""
    return bench.subject(nn.Sequential(nn.Flatten(), nn.Linear(144, 4)))


@pytest.fixture
def mixed(labelled):
    """400 rows in each of two classes; every tenth of class 0 lies 10 standard deviations off the rest."""
    y = torch.arange(800) % 2
    odd = torch.arange(800) % 20 == 0
    return labelled(gaussians(800, [5 if o else -1 for o in odd.tolist()]), y), odd


def test_a_distant_tenth_is_flagged_exactly(bench, subject, mixed):
    suspects, odd = mixed
    out = AC().defend(bench.view(subject, suspects), bench.context(subject))
    assert torch.equal(out.flags, odd)
    assert torch.equal(out.keep, ~odd)
    assert roc_auc_score(odd, out.scores) == 1.0
    assert (out.scores[odd] > 0).all()
    assert out.notes["share/0"] == pytest.approx(0.1)
    assert out.notes["forwards"] == 800


def test_the_order_of_rows_permutes_flags_and_scores_alike(bench, subject, mixed, labelled):
    suspects, _ = mixed
    usual = AC(rule="smaller").defend(bench.view(subject, suspects), bench.context(subject))
    turn = Draws(9).permutation(800)
    turned = labelled(suspects.x.data[turn], suspects.y[turn], index=suspects.index[turn])
    again = AC(rule="smaller").defend(bench.view(subject, turned), bench.context(subject))
    assert torch.equal(again.flags, usual.flags[turn])
    assert torch.equal(again.scores, usual.scores[turn])


def test_benign_features_are_left_alone_but_by_the_rule_without_a_gate(bench, subject, labelled):
    suspects = labelled(gaussians(900, [-1] * 900), torch.arange(900) % 3)
    view, ctx = bench.view(subject, suspects), bench.context(subject)
    assert AC().defend(view, ctx).keep.all()
    share = float(AC(rule="smaller").defend(view, ctx).flags.float().mean())
    assert 0.1 < share <= 0.5


def test_a_class_that_is_half_poison_stands_out_and_the_farther_half_is_flagged(bench, labelled):
    """Five classes around five centres; of class 0, a half and three rows more lie beyond, where no other class is."""
    subject = bench.subject(nn.Sequential(nn.Flatten(), nn.Linear(144, 5)), 5)
    y = torch.arange(1000) % 5
    odd = (y == 0) & (torch.arange(1000) < 515)
    x = gaussians(1000, [100 if o else int(c) for o, c in zip(odd.tolist(), y.tolist(), strict=True)])
    x.flatten(1)[odd, 100] += 20
    out = AC().defend(bench.view(subject, labelled(x, y)), bench.context(subject))
    assert torch.equal(out.flags, odd)
    assert out.notes["share/0"] == pytest.approx(0.485)
    assert roc_auc_score(odd, out.scores) > 0.99
    calm = labelled(gaussians(1000, y.tolist()), y)
    assert AC().defend(bench.view(subject, calm), bench.context(subject)).keep.all()
    few = AC().defend(bench.view(subject, labelled(x[y < 4], y[y < 4])), bench.context(subject))
    assert few.keep.all(), "four classes do not tell which of them stands out"


def test_relative_size_needs_no_gap(bench, subject, mixed):
    suspects, odd = mixed
    strict = AC(min_silhouette=0.99)
    assert strict.defend(bench.view(subject, suspects), bench.context(subject)).keep.all()
    loose = AC(rule="relative-size", min_silhouette=0.99)
    assert torch.equal(loose.defend(bench.view(subject, suspects), bench.context(subject)).flags, odd)
    tiny = AC(rule="relative-size", max_share=0.05)
    assert tiny.defend(bench.view(subject, suspects), bench.context(subject)).keep.all()


def test_distance_flags_what_lies_with_another_class(bench, subject, labelled):
    y = torch.arange(600) % 2
    odd = torch.arange(600) % 20 == 0  # labelled 0, among the features of class 1
    axes = torch.where(odd, 1, y).tolist()
    suspects = labelled(gaussians(600, axes), y)
    out = AC(rule="distance").defend(bench.view(subject, suspects), bench.context(subject))
    assert torch.equal(out.flags, odd)


def test_distance_leaves_a_cluster_that_lies_nowhere_else(bench, subject, mixed):
    suspects, _ = mixed
    apart = torch.where((suspects.y == 1)[:, None, None, None], suspects.x.data - 10, suspects.x.data)
    suspects = type(suspects)(type(suspects.x)(apart), suspects.y, suspects.index)
    assert AC(rule="distance").defend(bench.view(subject, suspects), bench.context(subject)).keep.all()


def test_classes_too_small_or_constant_are_left_unflagged(bench, subject, labelled):
    x = gaussians(109, [-1] * 109)
    y = torch.tensor([0] * 100 + [1] * 9)
    x[:50] = x[0]
    y[:50] = 2  # constant features
    out = AC(rule="smaller").defend(bench.view(subject, labelled(x, y)), bench.context(subject))
    assert out.keep[:50].all()
    assert out.keep[100:].all()
    assert (out.scores[:50] == 0).all()
    assert set(out.notes) == {"forwards", "share/0", "silhouette/0"}


def test_the_silhouette_of_a_keyed_part_estimates_that_of_all(bench, subject, mixed, monkeypatch):
    suspects, odd = mixed
    rows = np.flatnonzero(suspects.y.numpy() == 0)
    features = suspects.x.data.flatten(1).double().numpy()
    whole = AC().cluster(features, rows, suspects.index, Draws(0))
    assert np.array_equal(whole.small, odd.numpy()[rows])
    z = features[rows] - features[rows].mean(0)
    axes = np.linalg.svd(z, full_matrices=False)[2][:10]
    assert whole.silhouette == pytest.approx(silhouette_score(z @ axes.T, whole.small), abs=1e-6)
    monkeypatch.setattr(ac, "SILHOUETTE_ROWS", 200)
    part = AC().cluster(features, rows, suspects.index, Draws(0))
    assert part.silhouette == pytest.approx(whole.silhouette, abs=0.02)


def test_margins_are_the_projected_distances_to_the_cluster_means(subject, mixed):
    suspects, odd = mixed
    rows = np.flatnonzero(suspects.y.numpy() == 0)
    features = suspects.x.data.flatten(1).double().numpy()
    found = AC(dims=3).cluster(features, rows, suspects.index, Draws(1))
    z = features[rows] - features[rows].mean(0)
    low = z @ np.linalg.svd(z, full_matrices=False)[2][:3].T
    small, large = low[odd.numpy()[rows]].mean(0), low[~odd.numpy()[rows]].mean(0)
    expected = np.linalg.norm(low - large, axis=1) - np.linalg.norm(low - small, axis=1)
    assert np.allclose(found.margin, expected, atol=1e-6)


def test_model_and_mode_stay(bench, victim):
    model = victim.subject.model.train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    AC().defend(bench.view(victim.subject, victim.suspects), bench.context(victim.subject))
    assert model.training
    model.eval()
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_global_generators_stay(bench, subject, mixed):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    AC().defend(bench.view(subject, mixed[0]), bench.context(subject))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


def test_a_model_without_a_feature_layer_is_unsupported(bench, mixed):
    subject = bench.subject(nn.Flatten())
    with pytest.raises(NotSupportedError, match="mbti_feature_layer"):
        AC().defend(bench.view(subject, mixed[0]), bench.context(subject))


@pytest.mark.learn
def test_a_trained_backdoor_is_found(bench, conv_victim):
    view, ctx = bench.view(conv_victim.subject, conv_victim.suspects), bench.context(conv_victim.subject)
    out = AC().defend(view, ctx)
    poisoned = conv_victim.poisoned
    assert out.flags[poisoned].float().mean() > 0.9
    assert out.flags[~poisoned].float().mean() < 0.05
    assert roc_auc_score(poisoned, out.scores) > 0.95


def test_settings_out_of_range_are_refused():
    for wrong in ({"dims": 0}, {"max_share": 0.6}, {"min_silhouette": 2.0}, {"rule": "larger"}):
        with pytest.raises(ValueError, match="Input should be"):
            AC(**wrong)
