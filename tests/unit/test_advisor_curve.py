"""The learning curve against scipy's fit and simulations; the prediction interval against simulations."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from tutelage.advisor.curve import EXPONENTS, fit_curve
from tutelage.advisor.expected import interval
from tutelage.errors import DataError, UsageError

SIZES = np.array([50, 100, 200, 400])


def law(a, b, c, n=SIZES):
    return a + b * np.asarray(n, float) ** -c


# The curve


@pytest.mark.parametrize(("a", "b", "c"), [(0.05, 1.5, 0.5), (0.1, 10, 1.0), (0.0, 0.9, 0.2)])
def test_a_power_law_is_found_again(a, b, c):
    curve, because = fit_curve(SIZES, law(a, b, c), [0.01] * 4)
    assert (curve.floor, curve.scale, curve.exponent) == pytest.approx((a, b, c), abs=1e-6)
    gain = law(a, b, c, 400) - law(a, b, c, 800)
    assert curve.gain == pytest.approx(gain, abs=1e-9)
    assert curve.error(400) - curve.error(800) == pytest.approx(gain, abs=1e-9)
    assert curve.low <= curve.gain <= curve.high
    assert curve.items == 400
    assert f"{curve.gain:.3f}" in because


@pytest.mark.parametrize("seed", range(6))
def test_the_fit_is_scipys_best_over_the_grid(seed):
    rng = np.random.default_rng(seed)
    deviations = rng.uniform(0.005, 0.03, 4)
    errors = law(0.0 if seed % 2 else 0.08, 1.2, 0.4) + deviations * rng.normal(size=4)

    def misfit(ab, c):
        return float(np.square((errors - law(ab[0], ab[1], c)) / deviations).sum())

    found = []
    for c in EXPONENTS:
        told = minimize(
            misfit, (0.05, 1.0), args=(c,), bounds=[(0, None), (0, None)], method="L-BFGS-B",
            options={"ftol": 1e-15, "gtol": 1e-12, "maxiter": 5000},
        )  # fmt: skip
        found.append(told.fun)
    curve, _ = fit_curve(SIZES, errors, deviations)
    own = misfit((curve.floor, curve.scale), curve.exponent)
    assert curve.floor >= 0
    assert own == pytest.approx(min(found), abs=1e-4)


@pytest.mark.parametrize(
    ("a", "b", "c"),
    [(0.05, 1.5, 0.5), (0.1, 0.8, 0.3), (0.02, 4, 0.8), (0.0, 1.0, 0.25), (0.1, 10, 1.0)],
)
@pytest.mark.parametrize("se", [0.005, 0.02])
def test_the_interval_of_the_gain_covers_the_truth(a, b, c, se):
    rng, covered = np.random.default_rng(0), 0
    truth = law(a, b, c, 400) - law(a, b, c, 800)
    for _ in range(300):
        errors = np.maximum(law(a, b, c) + se * rng.normal(size=4), 0)
        curve, _ = fit_curve(SIZES, errors, [se] * 4)
        covered += curve is not None and curve.low <= truth <= curve.high
    assert covered / 300 >= 0.88


@pytest.mark.parametrize("errors", [[0.30, 0.22, 0.18, 0.16], [0.41, 0.36, 0.30, 0.27]])
def test_the_interval_is_the_profile_likelihoods(errors):
    """Gains by brute force: over a fine grid of (a, b), with every exponent, within z^2 of the best."""
    deviations = np.full(4, 0.01)
    a, b = np.meshgrid(np.linspace(0, 0.3, 301), np.linspace(0.01, 14, 3000), indexing="ij")
    low, high, least, kept = math.inf, -math.inf, math.inf, []
    for c in EXPONENTS:
        misfit = sum(
            np.square((e - a - b * n**-c) / s)
            for n, e, s in zip(SIZES.astype(float), errors, deviations, strict=True)
        )
        least = min(least, float(misfit.min()))
        kept.append((misfit, b * (400.0**-c - 800.0**-c)))
    for misfit, gain in kept:
        inside = gain[misfit <= least + norm.ppf(0.975) ** 2]
        if inside.size:
            low, high = min(low, float(inside.min())), max(high, float(inside.max()))
    curve, _ = fit_curve(SIZES, errors, deviations)
    assert (curve.low, curve.high) == pytest.approx((low, high), abs=4e-4)


def test_surer_errors_and_lower_levels_make_the_interval_narrower():
    errors = law(0.05, 1.5, 0.5)
    wide, _ = fit_curve(SIZES, errors, [0.02] * 4)
    narrow, _ = fit_curve(SIZES, errors, [0.002] * 4)
    half, _ = fit_curve(SIZES, errors, [0.02] * 4, level=0.5)
    assert narrow.high - narrow.low < wide.high - wide.low
    assert half.high - half.low < wide.high - wide.low


def test_an_unsure_size_counts_less():
    errors = law(0.05, 1.5, 0.5)
    errors[0] += 0.1
    curve, _ = fit_curve(SIZES, errors, [10.0, 1e-3, 1e-3, 1e-3])
    assert curve.gain == pytest.approx(
        law(0.05, 1.5, 0.5, 400) - law(0.05, 1.5, 0.5, 800), abs=2e-3
    )


def test_errors_measured_without_a_doubt_do_not_break_the_fit():
    curve, _ = fit_curve(SIZES, law(0.05, 1.5, 0.5), [0.0] * 4)
    assert curve.gain == pytest.approx(
        law(0.05, 1.5, 0.5, 400) - law(0.05, 1.5, 0.5, 800), abs=1e-9
    )


@pytest.mark.parametrize("sizes", [[], [100], [100, 200], [100, 200, 200]])
def test_fewer_than_three_sizes_are_no_curve(sizes):
    count = len(set(sizes))
    curve, because = fit_curve(
        sizes, [0.3 / (1 + i) for i in range(len(sizes))], [0.01] * len(sizes)
    )
    assert curve is None
    assert because.startswith(f"{count} training sizes")


@pytest.mark.parametrize("errors", [[0.1, 0.2, 0.3, 0.4], [0.2, 0.2, 0.2, 0.2], [0.0] * 4])
def test_an_error_that_does_not_fall_is_no_curve(errors):
    curve, because = fit_curve(SIZES, errors, [0.01] * 4)
    assert curve is None
    assert "does not fall" in because


def test_the_order_of_sizes_does_not_matter_and_log_loss_is_as_good_as_errors():
    losses = law(0.4, 30, 0.6)
    forth, told = fit_curve(SIZES, losses, [0.05] * 4)
    back, again = fit_curve(SIZES[::-1], losses[::-1], [0.05] * 4)
    assert (forth.gain, forth.low, forth.high, forth.items) == pytest.approx(
        (back.gain, back.low, back.high, back.items)
    )
    assert told == again


@pytest.mark.parametrize(
    ("sizes", "errors", "deviations"),
    [
        ([50, 100, 200], [0.3, 0.2], [0.01] * 3),
        ([50, 100, 200], [0.3, 0.2, math.nan], [0.01] * 3),
        ([50, 100, 200], [0.3, 0.2, 0.1], [0.01, 0.01, math.inf]),
        ([0, 100, 200], [0.3, 0.2, 0.1], [0.01] * 3),
        ([50, 100, 200], [0.3, 0.2, -0.1], [0.01] * 3),
        ([50, 100, 200], [0.3, 0.2, 0.1], [0.01, -0.01, 0.01]),
    ],
)
def test_numbers_that_are_no_measurement_are_refused(sizes, errors, deviations):
    with pytest.raises(DataError) as caught:
        fit_curve(sizes, errors, deviations)
    assert caught.value.kind == "no-curve"


# The prediction interval

SHARES, TESTS, DOUBTS = [0.5, 0.8, 0.95, 0.99], [30, 100, 1000], [0.0, 0.02, 0.05]


@pytest.mark.parametrize("se", DOUBTS)
@pytest.mark.parametrize("n_test", TESTS)
@pytest.mark.parametrize("share", SHARES)
def test_90_to_98_of_100_results_fall_inside(share, n_test, se):
    """The true accuracy lies about the expected one, cut to [0, 1]; the test set is drawn from it."""
    rng = np.random.default_rng(0)
    real = np.clip(share + se * rng.normal(size=200_000), 0, 1)
    results = rng.binomial(n_test, real) / n_test
    low, high = interval(share, se, n_test)
    assert 0.90 <= ((low <= results) & (results <= high)).mean() <= 0.98


@pytest.mark.parametrize("se", DOUBTS)
@pytest.mark.parametrize("n_test", TESTS)
@pytest.mark.parametrize("share", SHARES)
def test_no_fewer_when_it_is_the_estimate_that_strays(share, n_test, se):
    """Near 1 it is more than 98: an estimate cannot stray upwards there."""
    rng = np.random.default_rng(1)
    told = np.clip(share + se * rng.normal(size=3000), 0, 1)
    results = rng.binomial(n_test, share, size=3000) / n_test
    ends = [interval(float(p), se, n_test) for p in told]
    inside = [low <= r <= high for (low, high), r in zip(ends, results, strict=True)]
    assert np.mean(inside) >= 0.90
    if share + 2 * se <= 0.95:
        assert np.mean(inside) <= 0.98


def test_the_interval_by_hand():
    # 0.8 * 0.2 / 100 + 0.02^2 = 0.002, and 1.959964 * sqrt(0.002) = 0.087652
    assert interval(0.8, 0.02, 100) == pytest.approx((0.712348, 0.887652), abs=1e-6)
    assert interval(0.8, 0.02, 100, level=0.5) == pytest.approx(
        (0.8 - 0.674490 * math.sqrt(0.002), 0.8 + 0.674490 * math.sqrt(0.002)), abs=1e-6
    )


def test_the_interval_stays_between_nought_and_one_and_mirrors():
    for share in (0.0, 0.01, 0.3, 0.5):
        for n_test in (1, 30, 1000):
            low, high = interval(share, 0.05, n_test)
            assert 0 <= low <= share <= high <= 1
            mirrored = interval(1 - share, 0.05, n_test)
            assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_perfect_so_far_is_not_perfect_for_ever():
    z = norm.ppf(0.975)
    assert interval(1.0, 0.0, 30) == pytest.approx((30 / (30 + z * z), 1.0))  # Wilson's
    low, high = interval(1.0, 0.02, 30)
    assert high == 1.0
    assert (1 - low) ** 2 == pytest.approx(z * z * (low * (1 - low) / 30 + 0.02**2))


@pytest.mark.parametrize(
    "arguments",
    [
        (1.2, 0.1, 10), (-0.1, 0.1, 10), (math.nan, 0.1, 10), (0.5, -0.1, 10),
        (0.5, math.nan, 10), (0.5, math.inf, 10), (0.5, 0.1, 0), (0.5, 0.1, 10, 1.0), (0.5, 0.1, 10, 0.0),
    ],
)  # fmt: skip
def test_what_is_no_expectation_is_refused(arguments):
    with pytest.raises(UsageError) as caught:
        interval(*arguments)
    assert caught.value.kind == "not-an-expectation"


def test_all_that_is_wrong_is_named():
    with pytest.raises(UsageError, match="accuracy of 80, a standard error of -1, 0 test items"):
        interval(80, -1, 0)
