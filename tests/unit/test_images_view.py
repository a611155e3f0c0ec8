from __future__ import annotations

import io

import numpy as np
import pytest
from images_kit import picture
from PIL import Image

from tutelage.modality import InputSpec
from tutelage.modality.images import IMAGES


@pytest.mark.parametrize("size", [(120, 90), (90, 120), (400, 300), (50, 50), (1000, 40)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_the_plain_view_is_resize_then_centre_crop(size, interpolation):
    spec, image = InputSpec(96, 110, interpolation), picture(4, size)
    scale = 110 / min(size)
    whole = image.resize(
        (max(110, int(size[0] * scale)), max(110, int(size[1] * scale))),
        {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}[interpolation],
    )
    left, top = round((whole.width - 96) / 2), round((whole.height - 96) / 2)
    expected = np.asarray(whole.crop((left, top, left + 96, top + 96)), int)
    view = IMAGES.augment(image, spec, None)
    assert view.shape == (96, 96, 3) and view.dtype == np.uint8
    assert np.abs(view - expected).max() <= 2


def test_a_random_view_depends_on_its_generator_alone():
    image, spec = picture(4, (200, 150)), InputSpec(64, 72)
    views = [IMAGES.augment(image, spec, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(views[0], views[1]) and not np.array_equal(views[0], views[2])
    assert views[0].shape == (64, 64, 3)


def test_random_views_stay_inside_and_are_mirrored_half_of_the_time():
    ramp = np.tile(np.linspace(50, 200, 200).astype(np.uint8)[None, :, None], (150, 1, 3))
    image, spec = Image.fromarray(ramp), InputSpec(32, 32)
    views = [IMAGES.augment(image, spec, np.random.default_rng(n)).astype(int) for n in range(400)]
    mirrored = np.mean([view[0, 0, 0] > view[0, -1, 0] for view in views])
    assert 0.4 < mirrored < 0.6
    assert min(view.min() for view in views) >= 50 and max(view.max() for view in views) <= 200
    spans = np.array([abs(view[0, 0, 0] - view[0, -1, 0]) for view in views]) / 150
    assert 0.5 < spans.min() < 0.75 and spans.max() > 0.9


def test_an_extreme_strip_still_gives_a_view():
    view = IMAGES.augment(picture(1, (900, 9)), InputSpec(32, 32), np.random.default_rng(0))
    assert view.shape == (32, 32, 3)


@pytest.mark.parametrize(("scales", "size", "resize"), [
    ([28] * 5, 128, 128), ([32], 128, 128), ([8], 64, 64), ([64], 224, 224), ([65], 224, 256),
    ([256, 300], 224, 256), ([], 224, 256), ([0, 0], 224, 256), ([0, 28], 128, 128), ([28, 28, 900], 128, 128),
])  # fmt: skip
def test_small_sources_get_a_small_input(scales, size, resize):
    chosen = IMAGES.spec(InputSpec(), scales)
    assert (chosen.size, chosen.resize) == (size, resize)
    assert chosen.mean == InputSpec().mean


@pytest.mark.parametrize(("card", "scales", "size"), [
    (InputSpec(299, 342, smallest=75), [8], 75), (InputSpec(299, 342, smallest=75), [28], 128),
    (InputSpec(299, 342, smallest=160), [28], 160), (InputSpec(224, 256, smallest=224), [8], 224),
    (InputSpec(384, 384, smallest=32), [8], 64), (InputSpec(32, 32), [28], 32), (InputSpec(48, 56, smallest=16), [8], 48),
    (InputSpec(64, 64), [64], 64), (InputSpec(96, 96, smallest=300), [8], 96),
])  # fmt: skip
def test_an_input_is_never_smaller_than_the_network_takes_nor_larger_than_its_own(
    card, scales, size
):
    chosen = IMAGES.spec(card, scales)
    assert (chosen.size, chosen.resize, chosen.smallest) == (size, size, card.smallest)
    assert IMAGES.spec(card, [500]) == card


def test_a_spec_of_before_can_still_be_read():
    old = {k: v for k, v in InputSpec().as_json().items() if k != "smallest"}
    assert InputSpec.from_json(old) == InputSpec() == InputSpec.from_json(InputSpec().as_json())
    assert list(InputSpec.__dataclass_fields__)[-4:] == ["padding", "smallest", "unit", "restored"]


def test_collate_stacks():
    batch = IMAGES.collate([np.zeros((4, 4, 3), np.uint8)] * 3)
    assert batch["x"].shape == (3, 4, 4, 3) and batch["x"].dtype == np.uint8


def test_show_gives_a_webp_of_the_asked_size():
    shown = Image.open(io.BytesIO(IMAGES.show(np.asarray(picture(1)), 60)))
    assert shown.format == "WEBP" and shown.size == (60, 45)
