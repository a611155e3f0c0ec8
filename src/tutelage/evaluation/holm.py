"""Several comparisons at once: p-values that stay honest, however many were made."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm, Scandinavian Journal of Statistics 6, 1979).

    Those below 5 % may all be believed together: the chance that any of them is false is at most 5 %,
    whatever the comparisons have in common.

    Args:
        p_values: one a comparison (M,).

    Returns:
        Adjusted p-values (M,), in the order given, each at most 1.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = least
    return adjusted
