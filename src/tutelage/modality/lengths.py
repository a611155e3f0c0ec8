"""Lengths that ragged items are padded to: few enough that a program is prepared for each only once.

An item is always padded to the least of these that holds it, so that its row depends on it alone, whatever
lies beside it in a batch.
"""

from __future__ import annotations

STEPS = ((32, 8), (64, 16), (128, 32), (256, 64))
"""Up to so many places, in steps of so many; beyond them in powers of two."""


def padded_length(count: int) -> int:
    """The least length that holds ``count`` places.

    Example:
        >>> [padded_length(n) for n in (1, 8, 9, 33, 100, 257)]
        [8, 8, 16, 48, 128, 512]
    """
    for most, step in STEPS:
        if count <= most:
            return max(step, -(-count // step) * step)
    return 1 << (count - 1).bit_length()
