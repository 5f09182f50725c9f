"""Whether a detector flags more samples than its own setting lets one expect of clean ones."""

from __future__ import annotations

CHANCE = 0.05
"""An alarm is raised where clean data would flag as many samples less often than this."""


def surplus_by_chance(flagged: int, n: int, expected: float, calibrated_on: int) -> float:
    """Return how likely clean data are to flag at least so many samples, in [0, 1].

    A threshold that m clean samples set to a rate r flags a share of fresh clean ones that is drawn from a beta
    distribution with the parameters r (m + 1) and (1 - r) (m + 1); the count is beta-binomial then.

    Args:
        flagged: How many are flagged.
        n: Of how many.
        expected: The rate that the detector was set to, in [0, 1]; 0 for a rule that flags none of clean data.
        calibrated_on: m; 0 where the rate is exact.
    """
    if flagged == 0 or n == 0:
        return 1.0
    if expected <= 0.0:
        return 0.0
    from scipy.stats import betabinom, binom  # noqa: PLC0415 - a second; only a detector's row needs it

    if calibrated_on == 0:
        return float(binom.sf(flagged - 1, n, expected))
    m = calibrated_on + 1
    return float(betabinom.sf(flagged - 1, n, expected * m, (1.0 - expected) * m))


def raises_alarm(flagged: int, n: int, expected: float, calibrated_on: int) -> bool:
    """Tell whether more samples are flagged than chance explains; arguments as of ``surplus_by_chance``.

    Of a label alone that cannot be told: of some classes, more clean samples are flagged than of others.
    """
    return surplus_by_chance(flagged, n, expected, calibrated_on) < CHANCE
