"""AC: activation clustering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, PositiveInt

from mbti_core.contracts.defense import Defense, DefenseContext, DefenseOutcome, DefenseView, Need, Yield
from mbti_core.data.rng import Draws

Array = np.ndarray[Any, np.dtype[Any]]
Share = Annotated[float, Field(gt=0, le=0.5)]

RESTARTS = 10
FEWEST_ROWS = 10  # two clusters of fewer rows say nothing
SILHOUETTE_ROWS = 2000  # the silhouette takes the distances of all pairs
FEW = 5  # classes, below which none stands out from the others
STANDS_OUT = 3.5  # median deviations: Iglewicz and Hoaglin's limit for outliers
ALIKE = 0.02  # silhouettes that differ by less are the same


@dataclass(frozen=True)
class Clusters:
    """Two clusters of one label class.

    Attributes:
        rows: (m,) positions of the class's rows.
        small: (m,) bool, whether a row is in the smaller cluster.
        margin: (m,) distance to the larger cluster's centre minus distance to the smaller's, in the reduced space.
        share: Size of the smaller cluster over m.
        silhouette: In [-1, 1], in the reduced space.
    """

    rows: Array
    small: Array
    margin: Array
    share: float
    silhouette: float


class AC(Defense):
    """Cluster each label class's penultimate features in two and flag the cluster that does not belong.

    The defender owns the model and its training data with the labels as given. Poisoned rows reach the target label for
    another reason than its own rows do, so their features form a second, smaller cluster in that class.

    The smaller cluster is the poisoned one only while poison is the minority of its class: with C equal classes, an
    all-to-one attack of ratio r fills a share rC / (1 + rC) of the target's, so with ten classes ``max_share`` is
    passed above r = 5.4 %, and at 10 % the class is half poison. A class whose clusters lie far further apart than
    those of the others is flagged then too, and the suspect is the cluster that lies farther from the other classes:
    a trigger makes a model surer than a class's own traits do. ``distance`` does not look at sizes.

    Attributes:
        dims: Dimensions after PCA, class by class.
        rule: Which cluster is flagged. ``silhouette``: the smaller, if it holds less than ``max_share`` and the two lie
            apart, or the farther one, if they lie far further apart than those of other classes; ``relative-size``: the
            smaller, if it holds less than ``max_share``; ``smaller``: the smaller, in every class; ``distance``: one
            whose centre is nearer to another class's centre than to its own.
        max_share: Share of a class above which the smaller cluster counts as natural, in (0, 0.5].
        min_silhouette: Silhouette above which two clusters lie apart, in [-1, 1].

    Shape:
        Features (n, D), labels (n,); scores (n,): (distance to the other cluster's centre minus distance to the
        suspect's) times the class's silhouette, where that is above 0; 0 in a class that was not clustered. The suspect
        is the smaller cluster, or the farther one where it holds ``max_share`` or more.

    Raises:
        NotSupportedError: If no plugin says where the features are.

    Source:
        Chen et al., "Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering", 2018, section 4;
        size and silhouette limits from the authors' code.

    Deviates:
        PCA instead of ICA: both span the same leading directions and PCA has no convergence to fail. The silhouette is
        estimated on at most 2,000 rows of a class, being quadratic in them. ``distance`` compares centres in the full
        feature space, because each class has a reduced space of its own. Classes that stand out, by 3.5 median
        deviations of silhouettes over at least 5 classes, are flagged whatever their clusters' sizes (adapted). Classes
        of fewer than 10 rows, or of constant features, are left unflagged. No exclusionary reclassification: it is
        another training per class.

    Example:
        >>> AC().rule
        'silhouette'
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"features", "suspects"})
    yields: ClassVar[frozenset[Yield]] = frozenset({"scores", "keep"})

    dims: PositiveInt = 10
    rule: Literal["silhouette", "relative-size", "smaller", "distance"] = "silhouette"
    max_share: Share = 0.35
    min_silhouette: Annotated[float, Field(ge=-1, le=1)] = 0.10

    def defend(self, view: DefenseView, ctx: DefenseContext) -> DefenseOutcome:
        """Return the signed margins and the flags of the rule; the order of the suspects does not count."""
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415 - see cluster; no types

        assert view.features is not None  # declared in needs, as the next
        assert view.suspects is not None
        suspects = view.suspects
        index = suspects.index.cpu()
        order = torch.argsort(index)
        features = view.features()[order].double().numpy()  # (n, D), by row id
        labels, ids = suspects.y.cpu()[order].numpy(), index[order]
        scores, flags = np.zeros(len(labels), np.float32), np.zeros(len(labels), bool)
        centres = {int(c): features[labels == c].mean(0) for c in np.unique(labels)}
        notes: dict[str, float] = {"forwards": len(labels)}
        # One thread: the sums of k-means depend on their number, and a class is small.
        with threadpool_limits(1):
            every = {
                c: self.cluster(features, np.flatnonzero(labels == c), ids, ctx.draws.stream("class", c))
                for c in centres
            }
        clustered = {label: found for label, found in every.items() if found is not None}
        apart = standing_out({label: found.silhouette for label, found in clustered.items()})
        for label, found in clustered.items():
            suspect = found.small
            if found.share >= self.max_share and farther(found, features, label, centres):
                suspect = ~found.small
            sign = 1 if suspect is found.small else -1
            scores[found.rows] = sign * found.margin * max(found.silhouette, 0.0)
            stands_out = self.rule == "silhouette" and label in apart
            flags[found.rows] = suspect if stands_out else self.flag(found, features, label, centres)
            notes |= {f"share/{label}": found.share, f"silhouette/{label}": found.silhouette}
        back = torch.argsort(order)
        flagged = torch.from_numpy(flags)[back]
        return DefenseOutcome(scores=torch.from_numpy(scores)[back], flags=flagged, keep=~flagged, notes=notes)

    def cluster(self, features: Array, rows: Array, ids: torch.Tensor, draws: Draws) -> Clusters | None:
        """Cluster the rows of one class; None if there is nothing to cluster.

        Args:
            features: (n, D).
            rows: (m,) positions of the class's rows, by ascending id.
            ids: (n,) stable row ids.
            draws: Keyed randomness of this class.
        """
        # scikit-learn takes seconds to import, which a plan that only validates settings does without.
        from sklearn.cluster import KMeans  # noqa: PLC0415 - as said
        from sklearn.decomposition import PCA  # noqa: PLC0415 - as said
        from sklearn.metrics import silhouette_score  # noqa: PLC0415 - as said

        z = features[rows] - features[rows].mean(0)
        if len(rows) < FEWEST_ROWS or not z.any():
            return None
        seed = draws.seed % 2**32
        reduced = PCA(min(self.dims, *z.shape), random_state=seed).fit_transform(z)  # (m, dims)
        means = KMeans(2, n_init=RESTARTS, random_state=seed).fit(reduced)
        counts = np.bincount(means.labels_, minlength=2)
        smaller = int(counts.argmin())
        away = means.transform(reduced)  # (m, 2) distances to the centres
        picked = torch.argsort(draws.stream("silhouette").bits(ids[torch.from_numpy(rows)]), stable=True)
        some = picked[:SILHOUETTE_ROWS].sort().values.numpy()
        apart = len(np.unique(means.labels_[some])) == 2
        return Clusters(
            rows=rows,
            small=means.labels_ == smaller,
            margin=away[:, 1 - smaller] - away[:, smaller],
            share=float(counts[smaller] / len(rows)),
            silhouette=float(silhouette_score(reduced[some], means.labels_[some])) if apart else 0.0,
        )

    def flag(self, found: Clusters, features: Array, label: int, centres: dict[int, Array]) -> Array:
        """Return (m,) bool, the rows of a class that the rule flags."""
        if self.rule == "distance":
            flags = np.zeros(len(found.rows), bool)
            for side in (found.small, ~found.small):
                flags[side] = nearest(features[found.rows[side]].mean(0), centres) != label
            return flags
        if self.rule != "smaller" and found.share >= self.max_share:
            return np.zeros(len(found.rows), bool)
        if self.rule == "silhouette" and found.silhouette <= self.min_silhouette:
            return np.zeros(len(found.rows), bool)
        return found.small


def standing_out(silhouettes: dict[int, float]) -> set[int]:
    """Return the classes whose silhouette lies far above the others'; none of fewer than 5."""
    values = np.array(list(silhouettes.values()))
    if len(values) < FEW:
        return set()
    above = values - np.median(values)
    limit = STANDS_OUT * max(1.4826 * float(np.median(np.abs(above))), ALIKE)
    return {label for label, far in zip(silhouettes, above, strict=True) if far > limit}


def farther(found: Clusters, features: Array, label: int, centres: dict[int, Array]) -> bool:
    """Return whether the larger cluster lies farther from the other classes than the smaller, centre by centre."""
    others = np.stack([centre for other, centre in centres.items() if other != label] or [centres[label]])
    small, large = (
        np.linalg.norm(others - features[found.rows[side]].mean(0), axis=1).mean()
        for side in (found.small, ~found.small)
    )
    return bool(large > small)


def nearest(point: Array, centres: dict[int, Array]) -> int:
    """Return the label whose centre lies nearest to ``point`` (D,)."""
    return min(centres, key=lambda label: float(np.linalg.norm(centres[label] - point)))
