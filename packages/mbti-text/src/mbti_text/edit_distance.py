"""How many characters, or words, stand between two texts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence


def edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Return the Levenshtein distance: the fewest insertions, deletions and substitutions that make ``b`` of ``a``.

    Source: Hyyrö, "A bit-vector algorithm for computing Levenshtein and Damerau edit distances", Nordic Journal of
    Computing 10, 2003, figure 3. A column of the dynamic program is one integer with a bit per item, so that the
    distance of two texts of 1,000 characters takes a thousand steps instead of a million.
    """
    start, end = common_ends(a, b)
    a, b = a[start : len(a) - end], b[start : len(b) - end]
    if not a or not b:
        return len(a) + len(b)
    if len(a) < len(b):
        a, b = b, a  # more bits, fewer steps
    at: defaultdict[Hashable, int] = defaultdict(int)
    for i, item in enumerate(a):
        at[item] |= 1 << i
    mask, last, distance = (1 << len(a)) - 1, 1 << (len(a) - 1), len(a)
    up, down = mask, 0  # where a cell is one more, or one less, than the cell above it
    for item in b:
        equal = at.get(item, 0)
        diagonal = (((equal & up) + up) ^ up) | equal | down
        right, left = down | ~(diagonal | up), diagonal & up  # one more, one less, than the cell to the left
        distance += bool(right & last) - bool(left & last)
        right = right << 1 | 1
        up, down = (left << 1 | ~(diagonal | right)) & mask, right & diagonal & mask
    return distance


def similarity(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    """Return 1 less the Levenshtein distance as a share of the longer one: 1 for equal ones, 0 if nothing is left."""
    longest = max(len(a), len(b))
    return 1 - edit_distance(a, b) / longest if longest else 1.0


def common_ends(a: Sequence[Hashable], b: Sequence[Hashable]) -> tuple[int, int]:
    """Return how many items at the start, and how many of the others at the end, are those of both."""
    shorter = min(len(a), len(b))
    start = next((i for i in range(shorter) if a[i] != b[i]), shorter)
    room = shorter - start
    return start, next((i for i in range(room) if a[-1 - i] != b[-1 - i]), room)
