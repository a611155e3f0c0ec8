"""One test of two ways to train, of which each trained several students."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

from tutelage.evaluation.compare import mcnemar


def mcnemar_over_seeds(correct_a: npt.ArrayLike, correct_b: npt.ArrayLike) -> float:
    """Two-sided p-value of "they are equally accurate", from exact McNemar tests of pairs of seeds.

    Of K tests on the same items the k-th smallest p-value times K / k is a p-value, whatever the tests have
    in common (Rueschendorf 1982; Vovk and Wang, Biometrika 107, 2020, section 2); k is the smallest
    majority, so that more than half of the pairs must agree.

    Args:
        correct_a: whether the first student of each seed is right (S, N).
        correct_b: the second's, on the same items (T, N). Seeds are paired in order where S = T; else each is
            tested against each.

    Raises:
        DataError: the two do not judge the same number of items.

    Example:
        >>> mcnemar_over_seeds([[1] * 9 + [0]], [[0] * 8 + [1, 1]])
        0.0390625
    """
    a, b = np.atleast_2d(np.asarray(correct_a, bool)), np.atleast_2d(np.asarray(correct_b, bool))
    pairs = zip(a, b, strict=True) if len(a) == len(b) else product(a, b)
    found = sorted(mcnemar(one, other).two_sided for one, other in pairs)
    majority = len(found) // 2 + 1
    return min(1.0, found[majority - 1] * len(found) / majority)
