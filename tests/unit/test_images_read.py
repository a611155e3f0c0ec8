from __future__ import annotations

import numpy as np
import pytest
from images_kit import bomb, picture, save, truncate
from PIL import Image
from sklearn.datasets import load_sample_image

from tutelage.errors import DataError
from tutelage.modality.images import IMAGES
from tutelage.modality.record import InputSpec

read = IMAGES.read


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".ppm", ".PNG", ".pnm"])
def test_lossless_formats_come_back_as_they_were(tmp_path, suffix):
    path = save(tmp_path / f"a{suffix}", 1, format=None)
    image = read(path)
    assert image.mode == "RGB"
    assert np.array_equal(np.asarray(image), np.asarray(picture(1)))


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp", ".gif"])
def test_lossy_formats_come_back_nearly(tmp_path, suffix):
    image = read(save(tmp_path / f"a{suffix}", 1))
    difference = np.abs(np.asarray(image, float) - np.asarray(picture(1), float))
    assert image.mode == "RGB" and difference.mean() < 12


def test_the_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (20, 20), c) for c in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read(tmp_path / "a.gif").getpixel((5, 5)) == (255, 0, 0)


UPRIGHT = {
    1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1), 6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1), 8: lambda a: a.swapaxes(0, 1)[::-1],
}  # fmt: skip
"""Orientation -> what is to be done to the stored rows and columns (EXIF tag 0x0112)."""


def turned(turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    return exif


@pytest.mark.parametrize("turn", UPRIGHT)
@pytest.mark.parametrize(("suffix", "options"), [
    (".png", {}), (".jpg", {}), (".tif", {}), (".tif", {"compression": "tiff_lzw"}),
])  # fmt: skip
def test_orientation_is_obeyed_once_by_all_that_read(tmp_path, turn, suffix, options):
    plain = save(tmp_path / f"plain{suffix}", 3, **options)
    path = save(tmp_path / f"turned{suffix}", 3, exif=turned(turn), **options)
    expected = UPRIGHT[turn](np.asarray(Image.open(plain)))
    assert np.array_equal(np.asarray(read(path)), expected)
    small = InputSpec(16, 16)
    reduced = UPRIGHT[turn](np.asarray(IMAGES.decode(plain, small)))
    assert np.array_equal(np.asarray(IMAGES.decode(path, small)), reduced)
    assert (reduced.size < expected.size) == (suffix == ".jpg")
    for full in (False, True):
        form = IMAGES.check(path, full).form
        assert (form["height"], form["width"]) == expected.shape[:2]


@pytest.mark.parametrize("turn", UPRIGHT)
def test_a_turned_tiff_is_a_copy_of_the_same_png(tmp_path, turn):
    files = [save(tmp_path / f"a{s}", 3, exif=turned(turn)) for s in (".png", ".tif")]
    png, tiff = (IMAGES.check(file, False) for file in files)
    assert png.content == tiff.content
    assert np.array_equal(png.fingerprint.words, tiff.fingerprint.words)


def test_an_orientation_that_only_xmp_tells(tmp_path):
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="6"/></x:xmpmeta>'
    path = save(tmp_path / "a.tif", 3, tiffinfo={700: xmp})
    assert np.array_equal(np.asarray(read(path)), UPRIGHT[6](np.asarray(picture(3))))
    form = IMAGES.check(path, False).form
    assert (form["width"], form["height"]) == (90, 120)


def test_alpha_is_laid_on_white(tmp_path):
    array = np.zeros((10, 10, 4), np.uint8)
    array[:, 5:] = (10, 20, 30, 255)
    array[0, 0] = (0, 0, 0, 128)
    Image.fromarray(array).save(tmp_path / "a.png")
    image = read(tmp_path / "a.png")
    assert image.getpixel((1, 5)) == (255, 255, 255)
    assert image.getpixel((7, 5)) == (10, 20, 30)
    assert image.getpixel((0, 0)) == (127, 127, 127)


def test_a_palette_with_a_transparent_colour(tmp_path):
    image = Image.new("P", (10, 10), 0)
    image.putpalette([0, 0, 0, 200, 100, 50])
    image.putpixel((3, 3), 1)
    image.save(tmp_path / "a.png", transparency=0)
    assert read(tmp_path / "a.png").getpixel((0, 0)) == (255, 255, 255)
    assert read(tmp_path / "a.png").getpixel((3, 3)) == (200, 100, 50)


@pytest.mark.parametrize(
    ("top", "suffix"), [(65535, ".tif"), (65535, ".png"), (4095, ".tif"), (255, ".png")]
)
def test_sixteen_bits_are_scaled_by_the_range_that_holds_them(tmp_path, top, suffix):
    array = np.linspace(0, top, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(array).save(tmp_path / f"a{suffix}")
    grey = np.asarray(read(tmp_path / f"a{suffix}"))[..., 0].astype(float)
    assert np.abs(grey - array * (255.0 / top)).max() <= 0.51


@pytest.mark.parametrize(("peak", "top"), [(1.0, 1.0), (1.0001, 1.0), (1.05, 1.0), (1.06, 255.0), (250.0, 255.0)])  # fmt: skip
def test_floats_that_overshoot_one_a_little_count_as_0_to_1(tmp_path, peak, top):
    array = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    array[3, 5] = peak
    expected = np.rint(np.minimum(array.astype(float) / top, 1) * 255)
    Image.fromarray(array).save(tmp_path / "a.tif")
    np.save(tmp_path / "a.npy", array)
    for item in (array, array.astype(np.float64), tmp_path / "a.tif", tmp_path / "a.npy"):
        assert np.array_equal(np.asarray(read(item))[..., 0], expected)


def test_grey_one_bit_and_cmyk(tmp_path):
    for mode, suffix in (("L", ".jpg"), ("1", ".pbm"), ("CMYK", ".jpg"), ("LA", ".png")):
        picture(2).convert("L" if mode in "1LA" else "RGB").convert(mode).save(
            tmp_path / f"{mode}{suffix}"
        )
        image = read(tmp_path / f"{mode}{suffix}")
        assert image.mode == "RGB" and image.size == (120, 90)
        assert not IMAGES.check(tmp_path / f"{mode}{suffix}", True).defects


def test_arrays_of_every_form():
    colour = np.asarray(picture(1))
    for array in (colour, colour.astype(np.float32) / 255, colour.astype(np.uint16) * 257):
        assert np.abs(np.asarray(read(array), int) - colour).max() <= 1
    for array in (colour[:, :, 0], colour[:, :, :1], colour[:, :, 0] / 255):
        assert np.array_equal(np.asarray(read(array))[..., 2], colour[:, :, 0])
    clear = np.dstack([colour, np.zeros(colour.shape[:2], np.uint8)])
    assert np.asarray(read(clear)).min() == 255


@pytest.mark.parametrize("array", [
    np.zeros((3,)), np.zeros((4, 4, 2)), np.zeros((0, 4)), np.full((4, 4), np.nan),
    np.zeros((4, 4), object), np.zeros((2, 4, 4, 3)),
])  # fmt: skip
def test_arrays_that_are_no_images(array):
    with pytest.raises(DataError, match="cannot be read"):
        read(array)
    assert IMAGES.check(array, True).defects[0][0] == "unreadable"


@pytest.mark.parametrize("full", [False, True])
def test_broken_files_are_errors_and_never_grey(tmp_path, full):
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("hello")
    truncate(save(tmp_path / "cut.jpg", 1))
    truncate(save(tmp_path / "progressive.jpg", 1, progressive=True))
    truncate(save(tmp_path / "cut.png", 1))
    truncate(save(tmp_path / "cut.webp", 1))
    truncate(save(tmp_path / "cut.bmp", 1))
    truncate(save(tmp_path / "cut.gif", 1))
    bomb(tmp_path / "bomb.png")
    for path in (*sorted(tmp_path.iterdir()), tmp_path / "missing.jpg", tmp_path):
        kind = "bomb" if path.name == "bomb.png" else "unreadable"
        with pytest.raises(DataError) as caught:
            read(path)
        assert caught.value.kind == kind, path
        assert [k for k, _ in IMAGES.check(path, full).defects] == [kind], path


def test_a_png_named_jpg_is_read_by_its_content(tmp_path):
    picture(1).save(tmp_path / "a.jpg", format="PNG")
    assert np.array_equal(np.asarray(read(tmp_path / "a.jpg")), np.asarray(picture(1)))
    assert [k for k, _ in IMAGES.check(tmp_path / "a.jpg", False).defects] == ["wrong-suffix"]


def test_the_look_at_an_item_is_the_same_quick_and_full(tmp_path):
    for suffix in (".jpg", ".png", ".gif", ".webp"):
        path = save(tmp_path / f"a{suffix}", 5, (300, 200))
        quick, full = IMAGES.check(path, False), IMAGES.check(path, True)
        assert quick.content == full.content and quick.form == full.form and quick.scale == 300
        assert np.array_equal(quick.fingerprint.words, full.fingerprint.words)


def test_names_are_sniffed_whatever_their_case(tmp_path):
    from pathlib import Path

    yes = [
        "a.jpg",
        "a.JPEG",
        "a.png",
        "a.gif",
        "a.bmp",
        "a.TIF",
        "a.tiff",
        "a.webp",
        "a.ppm",
        "a.pgm",
    ]
    assert all(IMAGES.sniff(Path(name)) for name in yes)
    assert not any(
        IMAGES.sniff(Path(name)) for name in ["a.txt", "a", "a.jpg.part", "jpg", "a.csv"]
    )


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """A photograph as a camera writes it: 12 megapixels, JPEG; and as large as its original."""
    small = Image.fromarray(load_sample_image("china.jpg"))
    folder = tmp_path_factory.mktemp("camera")
    large = small.resize((4000, 2669), Image.Resampling.LANCZOS)
    grain = np.random.default_rng(0).normal(0, 6, (2669, 4000, 1))
    large = Image.fromarray(np.clip(np.asarray(large) + grain, 0, 255).astype(np.uint8))
    large.save(folder / "large.jpg", quality=92)
    small.save(folder / "small.jpg", quality=92)
    exif = Image.Exif()
    exif[0x0112] = 6
    large.save(folder / "turned.jpg", quality=92, exif=exif)
    return folder


@pytest.mark.parametrize("name", ["large.jpg", "turned.jpg"])
@pytest.mark.parametrize("view", [None, 3])
def test_a_camera_s_photo_is_decoded_reduced_and_its_views_stay(camera, name, view):
    spec = InputSpec()
    whole, reduced = IMAGES.read(camera / name), IMAGES.decode(camera / name, spec)
    assert min(reduced.size) >= 2 * spec.resize and whole.width >= 2 * reduced.width
    assert (whole.width > whole.height) == (reduced.width > reduced.height)
    views = [np.asarray(IMAGES.augment(one, spec, view and np.random.default_rng(view)), float) for one in (whole, reduced)]  # fmt: skip
    if view is None:  # a random window is drawn in other pixels, so only the plain view is compared
        assert np.abs(views[0] - views[1]).mean() < 0.1 * views[0].std()
    assert views[0].shape == views[1].shape


def test_what_is_small_or_no_jpeg_is_decoded_whole(camera, tmp_path):
    spec = InputSpec()
    large = Image.open(camera / "large.jpg")
    large.save(tmp_path / "large.png", compress_level=0)
    for path in (camera / "small.jpg", tmp_path / "large.png"):
        assert np.array_equal(np.asarray(IMAGES.decode(path, spec)), np.asarray(IMAGES.read(path)))


def test_a_truncated_camera_photo_is_unreadable_when_reduced_too(camera, tmp_path):
    content = (camera / "large.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError):
        IMAGES.decode(tmp_path / "cut.jpg", InputSpec())
