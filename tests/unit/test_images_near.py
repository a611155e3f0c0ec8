"""Near-duplicates, on real photos where they are there. The reference is what was planted."""

from __future__ import annotations

import gzip

import imagehash
import numpy as np
import pytest
from images_kit import picture, save
from PIL import Image

from shared import SHARED, needs_shared
from tutelage.data.copies import DISTANCE, near_pairs
from tutelage.modality.images import IMAGES


def shrunk(image, rng):
    return image.resize((image.width * 3 // 4, image.height * 3 // 4), Image.Resampling.BICUBIC), 90


def reencoded(image, rng):
    return image, 60


def cropped(image, rng):
    """A tenth of each side goes, 5 % at each edge."""
    x, y = round(0.05 * image.width), round(0.05 * image.height)
    return image.crop((x, y, image.width - x, image.height - y)), 90


def cropped_anywhere(image, rng):
    """5 % of each side goes, shared between the edges at random, and it is shrunk and re-encoded."""
    x, y = rng.uniform(0, 0.05, 2)
    box = (x * image.width, y * image.height, (0.95 + x) * image.width, (0.95 + y) * image.height)
    return image.crop(tuple(round(side) for side in box)).resize((160, 120)), 60


def plant(folder, files, change):
    rng = np.random.default_rng(0)
    for n, file in enumerate(files):
        image, quality = change(Image.open(file).convert("RGB"), rng)
        image.save(folder / f"{n}.jpg", quality=quality)
    return [folder / f"{n}.jpg" for n in range(len(files))]


@needs_shared
@pytest.mark.parametrize("name", ["trashnet", "caltech101_15"])
@pytest.mark.parametrize("change", [shrunk, reencoded, cropped, cropped_anywhere])
def test_planted_copies_are_recalled(tmp_path, name, change):
    files = sorted((SHARED / "data" / name).rglob("*.jpg"))[::9][:150]
    every = [*files, *plant(tmp_path, files, change)]
    prints = [IMAGES.fingerprint(file) for file in every]
    told = [index for index, mark in enumerate(prints) if mark is not None]
    pairs = {(told[i], told[j]) for i, j in near_pairs([prints[k] for k in told], IMAGES)}
    recalled = [(n, n + len(files)) in pairs for n in range(len(files))]
    assert np.mean(recalled) >= 0.95
    false = [pair for pair in pairs if pair[1] - pair[0] != len(files)]
    originals = {pair for pair in false if pair[1] < len(files)}
    assert len(false) <= 4 * len(originals) + 1, (
        "alarms that are not copies of true near-duplicates"
    )


@needs_shared
def test_no_false_alarm_on_different_photos():
    """500 images of 500 classes: no two are copies."""
    files = sorted((SHARED / "data" / "imagenet_sample500").rglob("*.jpg"))
    prints = [mark for file in files if (mark := IMAGES.fingerprint(file)) is not None]
    assert len(prints) > 490 and near_pairs(prints, IMAGES) == []


def mnist(count):
    raw = gzip.decompress((SHARED / "data/mnist/t10k-images-idx3-ubyte.gz").read_bytes())
    return np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28)[:count]


@needs_shared
def test_no_false_alarm_on_digits_not_even_when_they_are_blown_up():
    digits = mnist(2000)
    assert all(IMAGES.fingerprint(digit) is None for digit in digits)
    large = [
        np.asarray(Image.fromarray(d).resize((112, 112), Image.Resampling.BICUBIC)) for d in digits
    ]
    prints = [IMAGES.fingerprint(image) for image in large]
    assert None not in prints
    assert len(near_pairs(prints, IMAGES)) <= 1


def test_the_whole_words_agree_with_imagehash():
    """Another implementation's phash calls the same pairs near and far."""
    pictures = [picture(seed, (200, 160)) for seed in range(12)]
    pictures += [p.resize((150, 120), Image.Resampling.BICUBIC) for p in pictures]
    ours = np.array([IMAGES.fingerprint(np.asarray(p)).words[0] for p in pictures])
    theirs = [imagehash.phash(p) for p in pictures]
    for i in range(24):
        for j in range(i):
            near = int(np.bitwise_count(ours[i] ^ ours[j])) <= DISTANCE
            assert near == (theirs[i] - theirs[j] <= 10) == (i - j == 12)


def test_look_up_finds_all_that_brute_force_finds():
    rng = np.random.default_rng(1)
    from tutelage.data.copies import _candidates
    from tutelage.modality import Fingerprint

    base = rng.integers(0, 1 << 63, 60, dtype=np.uint64)
    words = np.concatenate([base, base])
    for n in range(60, 120):
        for bit in rng.choice(64, rng.integers(0, 10), replace=False):
            words[n] ^= np.uint64(1) << np.uint64(bit)
    prints = [Fingerprint(words[[n, (n + 7) % 120]], np.zeros(1)) for n in range(120)]
    expected = {
        (i, j) for i in range(120) for j in range(120) for w in prints[j].words
        if i != j and int(prints[i].words[0] ^ w).bit_count() <= DISTANCE
    }  # fmt: skip
    found = np.concatenate(list(_candidates(prints, range(120), range(120))))
    both = {(min(pair), max(pair)) for pair in expected}
    assert {(min(w, c), max(w, c)) for w, c, *_ in found.tolist()} == both
    assert len(expected) > 100


def test_small_and_flat_images_have_no_fingerprint(tmp_path):
    assert IMAGES.fingerprint(save(tmp_path / "a.jpg", 1, (63, 200))) is None
    assert IMAGES.fingerprint(save(tmp_path / "b.jpg", 1, (64, 200))) is not None
    assert IMAGES.fingerprint(np.full((100, 100), 7, np.uint8)) is None


def test_thousands_of_copies_of_one_thing_stay_cheap():
    mark = IMAGES.fingerprint(np.asarray(picture(1)))
    pairs = near_pairs([mark] * 1500, IMAGES)
    assert len(pairs) < 1500 * 130
    assert {0} | {j for i, j in pairs if i < 64} == set(range(1500))
