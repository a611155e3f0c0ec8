"""Wear: a view that shows the same and is not the same, for any number of channels."""

import numpy as np
import pytest

from tutelage.modality.images import IMAGES, images_of
from tutelage.modality.images_wear import worn


def picture(channels=3, side=96):
    rows, columns = np.mgrid[0:side, 0:side]
    bands = [127 + 100 * np.sin((rows + k * columns) / 9) for k in range(channels)]
    return np.stack(bands, axis=2).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_a_worn_view_is_near_the_plain_one_and_another(channels):
    plain = picture(channels)
    before = plain.copy()
    changes = []
    for seed in range(10):
        after = worn(plain, np.random.default_rng(seed))
        assert after.shape == plain.shape and after.dtype == np.uint8
        changes.append(float(np.abs(after.astype(float) - plain).mean()))
        again = worn(plain, np.random.default_rng(seed))
        assert np.array_equal(after, again)
    assert min(changes) > 1 and max(changes) < 20 and len(set(changes)) == 10
    assert np.array_equal(plain, before)


def test_every_kind_of_image_wears():
    assert IMAGES.worn is worn and images_of(4).worn is worn


def test_black_and_white_stay_inside_the_scale():
    for level in (0, 255):
        after = worn(np.full((32, 32, 3), level, np.uint8), np.random.default_rng(0))
        assert abs(float(after.mean()) - level) < 8
