"""Adapter hooks on samples: what a defense or a report does to a batch without knowing what it holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mbti_core.plugins.hookspecs import hookspec

if TYPE_CHECKING:
    from torch import Tensor

    from mbti_core.contracts.model import Rendering
    from mbti_core.data.rng import Draws

# --- Adapters on samples: stops at the first answer that is not None -----------------------------------------------


@hookspec(firstresult=True)
def mbti_superimpose(x: Any, other: Any, index: Any, modality: str, weight: float | None, draws: Draws) -> Any | None:
    """Lay clean samples over x.

    Called by STRIP. None means "not mine".

    Args:
        x: Batch (B, ...) in storage form.
        other: Clean batch (B, ...) in storage form, one per row of ``x``.
        index: (B,) int64 stable ids of the pairs, which key every draw.
        modality: Name of the modality.
        weight: Strength; 0 returns x, None takes the modality's own default.
        draws: Keyed randomness, for modalities that choose places.

    Returns:
        Batch (B, ...) in storage form, or in a float form that ``to_input`` accepts; sums may leave the range.
    """


@hookspec(firstresult=True)
def mbti_amplify(x: Any, modality: str, factor: float) -> Any | None:
    """Scale the signal of x.

    Called by scaled-prediction detectors. None means "not mine"; no default.

    Args:
        x: Batch in storage form.
        modality: Name of the modality.
        factor: 1 returns x.

    Returns:
        Batch in storage form, clipped to its range.
    """


@hookspec(firstresult=True)
def mbti_occlude(x: Any, modality: str, draws: Draws) -> Iterable[tuple[Any, Any]] | None:
    """Yield x with one unit removed, each unit in turn.

    Called by occlusion-based detectors. None means "not mine".

    Args:
        x: Batch in storage form.
        modality: Name of the modality.
        draws: Keyed randomness.

    Returns:
        Pairs (what was removed, batch without it).
    """


@hookspec(firstresult=True)
def mbti_augment(
    x: Any, index: Any, modality: str, strength: float, draws: Draws, facts: Mapping[str, Any]
) -> Any | None:
    """Vary samples without changing their labels.

    Called by training (after the trigger) and by fine-tuning. None means "not mine"; core's default leaves x as it is.

    Args:
        x: Batch (B, ...) in storage form, on any device.
        index: (B,) int64 stable row ids, which key every draw.
        modality: Name of the modality.
        strength: In (0, 1]: 1 varies as much as is usual.
        draws: Keyed randomness of this epoch.
        facts: Facts of the data set's card: what keeps a label depends on the data (a mirrored digit is another sign).

    Returns:
        Batch of the same type, shape and range.
    """


@hookspec(firstresult=True)
def mbti_render(x: Any, modality: str) -> Sequence[Rendering] | None:
    """Show samples to a person.

    Called by reports. None means "not mine".

    Args:
        x: Batch in storage form.
        modality: Name of the modality.

    Returns:
        One ``Rendering`` per row: an HTML fragment that stands on its own, a caption, and text for a terminal where a
        sample can be written.
    """


@hookspec(firstresult=True)
def mbti_difference(x: Any, y: Any, modality: str, factor: float) -> Any | None:
    """Make what changed between two batches visible.

    Called by reports and ``mbti show-sample``. None means "not mine"; without an answer only the two batches are shown.

    Args:
        x: Original batch (B, ...) in storage form.
        y: The same samples changed.
        modality: Name of the modality.
        factor: How many times the difference is enlarged, where it has a size.

    Returns:
        Batch (B, ...) in storage form, for ``mbti_render``: the middle of the range where nothing changed, or, of
        symbols, what went and what came marked up.
    """


@hookspec(firstresult=True)
def mbti_picture(rows: Sequence[Any], modality: str) -> bytes | None:
    """Draw several batches as one picture, a row each.

    Called by ``mbti show-sample --output FILE.png``. None means "not mine", or that samples can't be drawn.

    Args:
        rows: Batches of equal length, in storage form.
        modality: Name of the modality.

    Returns:
        A PNG file.
    """


@hookspec(firstresult=True)
def mbti_files(x: Any, modality: str) -> tuple[str, Sequence[bytes]] | None:
    """Write samples as files that other programs read.

    Called by ``mbti export``. None means "not mine", or that samples can't be written so.

    Args:
        x: Batch in storage form.
        modality: Name of the modality.

    Returns:
        How the files' names end, with the dot, and the content of one file per row. A reader of such files gives the
        same samples.
    """


@hookspec(firstresult=True)
def mbti_fidelity(x: Any, y: Any, modality: str) -> Mapping[str, Tensor] | None:
    """Measure how close changed samples are to the original ones.

    Called when an attack is evaluated: how well its trigger hides. None means "not mine"; without an answer the table
    shows no such measure.

    Args:
        x: Original batch (B, ...) in storage form.
        y: The same samples changed.
        modality: Name of the modality.

    Returns:
        (B,) floats per measure, by the field's name in lower case.
    """
