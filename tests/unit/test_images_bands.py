"""Images of 1, 2, 4 and more channels, and `.npy` files for any."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from images_kit import picture, save
from PIL import Image

from tutelage.data import check, open_source
from tutelage.errors import DataError, UsageError
from tutelage.modality import InputSpec, Modality
from tutelage.modality.images import IMAGES, images_of

NUMBERS = [1, 2, 4, 5, 13]


def stack(seed, channels, size=(120, 90)):
    """(H, W, C): one smooth picture a channel."""
    bands = [np.asarray(picture(seed * 100 + c, size))[:, :, 0] for c in range(channels)]
    return np.stack(bands, axis=2)


def given(modality, item):
    """What the error says, and the same through ``check``."""
    with pytest.raises(DataError) as caught:
        modality.read(item)
    (kind, detail), *_ = modality.check(item, True).defects
    assert kind == caught.value.kind and modality.check(item, False).fingerprint is None
    assert detail.replace("the file", str(item), 1) == caught.value.given
    return caught.value


def test_three_is_the_very_object_and_every_number_has_one():
    assert images_of(3) is IMAGES and images_of(4) is images_of(4)
    assert isinstance(images_of(4), Modality) and images_of(4).name == "images/4"
    for wrong in (0, -1):
        with pytest.raises(UsageError, match="--channels"):
            images_of(wrong)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "1", "CMYK", "P"])
def test_one_channel_is_the_luma_of_any_picture(tmp_path, mode):
    suffix = ".tif" if mode == "CMYK" else ".png"
    picture(3).convert(mode).save(tmp_path / f"a{suffix}")
    grey = images_of(1).read(tmp_path / f"a{suffix}")
    colour = np.asarray(IMAGES.read(tmp_path / f"a{suffix}"), float)
    luma = colour @ [0.299, 0.587, 0.114]  # ITU-R BT.601, as Pillow's documentation says
    assert grey.shape == (90, 120, 1) and grey.dtype == np.uint8
    assert np.abs(grey[:, :, 0] - luma).max() <= 1


def test_one_channel_from_arrays_of_every_form():
    grey = stack(1, 1)
    for array in (
        grey,
        grey[:, :, 0],
        grey / 255,
        grey.astype(np.uint16) * 257,
        np.repeat(grey, 3, 2),
    ):
        assert np.array_equal(images_of(1).read(array), grey)


@pytest.mark.parametrize("channels", NUMBERS)
def test_arrays_come_back_as_they_were(tmp_path, channels):
    array, modality = stack(1, channels), images_of(channels)
    for values in (array, np.asfortranarray(array)):
        np.save(tmp_path / "a.npy", values)
        for item in (values, tmp_path / "a.npy", str(tmp_path / "a.npy")):
            assert np.array_equal(modality.read(item), array)
            assert modality.check(item, False) is not None
            assert not modality.check(item, True).defects
    assert modality.check(tmp_path / "a.npy", False).form["format"] == "NPY"


def test_all_bands_share_one_scale():
    array = stack(1, 4)
    for values in (array / 255, array.astype(np.float32), array.astype(np.uint16) * 257):
        assert np.array_equal(images_of(4).read(values), array)
    dim = np.zeros((8, 8, 2), np.uint16)
    dim[..., 0], dim[..., 1] = 4095, 819
    assert np.unique(images_of(2).read(dim)[..., 1]).tolist() == [51], "a fifth of the range"


@pytest.mark.parametrize(("mode", "suffix"), [("LA", ".png"), ("RGBA", ".png"), ("RGBA", ".tif"), ("CMYK", ".tif")])  # fmt: skip
def test_files_with_so_many_bands_give_the_bands_as_they_are(tmp_path, mode, suffix):
    array = stack(2, len(mode))
    array[..., -1] //= 2
    Image.fromarray(array, mode).save(tmp_path / f"a{suffix}")
    modality = images_of(len(mode))
    assert np.array_equal(modality.read(tmp_path / f"a{suffix}"), array), "nothing is composited"
    assert modality.check(tmp_path / f"a{suffix}", True).form["mode"] == mode


def test_a_palette_is_looked_up_and_turned_as_exif_says(tmp_path):
    image = Image.new("P", (20, 10), 0)
    image.putpalette([0, 0, 0, 200, 100, 50])
    image.putpixel((3, 2), 1)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.png", transparency=0, exif=exif)
    bands = images_of(4).read(tmp_path / "a.png")
    assert bands.shape == (20, 10, 4) and bands[3, 7].tolist() == [200, 100, 50, 255]
    assert bands[0, 0].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize(("mode", "suffix", "options"), [
    ("RGBA", ".png", {}), ("RGBA", ".tif", {}), ("CMYK", ".tif", {"compression": "tiff_lzw"}),
])  # fmt: skip
def test_bands_are_turned_once(tmp_path, turn, mode, suffix, options):
    array, exif = stack(2, 4), Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(array, mode).save(tmp_path / f"a{suffix}", exif=exif, **options)
    mirrored = array[:, ::-1] if turn in (2, 4, 5, 7) else array
    quarters = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}[turn]
    expected = np.rot90(mirrored, quarters)
    modality = images_of(4)
    assert np.array_equal(modality.read(tmp_path / f"a{suffix}"), expected)
    form = modality.check(tmp_path / f"a{suffix}", False).form
    assert (form["height"], form["width"]) == expected.shape[:2]


def test_another_number_of_channels_says_how_many_and_how_many_were_asked(tmp_path):
    save(tmp_path / "a.png", 1)
    np.save(tmp_path / "a.npy", stack(1, 5))
    for item, has in (
        (tmp_path / "a.png", 3), (tmp_path / "a.npy", 5), (stack(1, 2), 2), (stack(1, 1)[:, :, 0], 1),
    ):  # fmt: skip
        error = given(images_of(4), item)
        count = "1 channel" if has == 1 else f"{has} channels"
        assert error.kind == "unreadable"
        assert f"it has {count}, and 4 were asked (--channels 4)" in error.given
        assert f"--channels {has}" in error.next and f"channels={has}" in error.next


@pytest.mark.parametrize("has", [2, 5, 8])
def test_plain_images_tell_how_arrays_of_other_channels_are_taken(tmp_path, has):
    np.save(tmp_path / "a.npy", stack(1, has))
    for item in (stack(1, has), tmp_path / "a.npy"):
        error = given(IMAGES, item)
        assert f"it has {has} channels" in error.given
        assert f"channels={has}" in error.next and f"--channels {has}" in error.next


@pytest.mark.parametrize("channels", NUMBERS)
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_views_are_band_by_band_what_a_grey_picture_of_pillow_gives(channels, interpolation, seed):
    """Against a loop that crops and resizes each band as a picture of its own."""
    array, spec = (
        stack(4, channels, (200, 150)),
        InputSpec(64, 72, interpolation, channels=channels),
    )
    rng = None if seed is None else np.random.default_rng(seed)
    view = images_of(channels).augment(array, spec, rng)
    assert view.shape == (64, 64, channels) and view.dtype == np.uint8
    for c in range(channels):
        rgb = Image.fromarray(np.repeat(array[:, :, c : c + 1], 3, axis=2))
        again = None if seed is None else np.random.default_rng(seed)
        assert np.array_equal(view[:, :, c], IMAGES.augment(rgb, spec, again)[:, :, 0])


def test_the_plain_view_of_one_channel_is_pillows_resize_of_mode_l():
    array = stack(4, 1, (64, 64))
    expected = Image.fromarray(array[:, :, 0]).resize((128, 128), Image.Resampling.BICUBIC)
    view = images_of(1).augment(array, InputSpec(128, 128, channels=1), None)
    assert np.array_equal(view[:, :, 0], np.asarray(expected))


@pytest.mark.parametrize(("channels", "seen"), [(1, [0, 0, 0]), (2, [0, 0, 0]), (4, [0, 1, 2]), (6, [0, 1, 2])])  # fmt: skip
def test_thumbnails_show_what_can_be_seen(channels, seen):
    array = stack(1, channels)
    shown = Image.open(io.BytesIO(images_of(channels).show(array, 120)))
    assert (shown.format, shown.mode, shown.size) == ("WEBP", "RGB", (120, 90))
    assert np.array_equal(np.asarray(shown), array[:, :, seen])


def test_collate_and_the_rule_of_sizes_keep_the_channels():
    modality = images_of(4)
    assert modality.collate([np.zeros((4, 4, 4), np.uint8)] * 3)["x"].shape == (3, 4, 4, 4)
    spec = modality.spec(InputSpec(channels=4), [28])
    assert (spec.size, spec.channels) == (128, 4)


def test_copies_are_found_over_all_bands():
    array = stack(1, 4)
    other = array.copy()
    other[0, 0, 3] ^= 255
    small = np.stack(
        [np.asarray(Image.fromarray(b).resize((96, 72))) for b in np.moveaxis(array, 2, 0)], 2
    )
    same_first = np.concatenate([array[:, :, :1], stack(9, 3)], axis=2)
    items = [array, array.copy(), other, small, same_first, stack(7, 4)]
    checked = check(open_source(items, labels=[*"aabbab"], modality=images_of(4)), full=False)
    assert checked.contents[0] == checked.contents[1] != checked.contents[2]
    assert len(set(checked.groups[:4])) == 1, "exact and near copies"
    assert len(set(checked.groups[3:])) == 3, "one band in common makes no copy"


def test_a_data_set_of_npy_files(tmp_path):
    for n in range(6):
        path = tmp_path / "ab"[n % 2] / f"{n}.npy"
        path.parent.mkdir(exist_ok=True)
        np.save(path, stack(n, 5))
    (tmp_path / "a/broken.npy").write_bytes(b"\x93NUMPY")
    save(tmp_path / "a/colour.png", 1)
    dataset = open_source(tmp_path, modality=images_of(5))
    assert len(dataset.examples) == 8, "every modality of images sniffs every image's suffix"
    checked = check(dataset, full=True)
    assert {f.where[0] for f in checked.findings if f.kind == "unreadable"} == {
        "a/broken.npy", "a/colour.png",
    }  # fmt: skip


# -- .npy files for pictures ---------------------------------------------------------------------------


def test_npy_files_are_pictures_too(tmp_path):
    colour = np.asarray(picture(1))
    for array in (colour, colour[:, :, 0], colour[:, :, :1], np.dstack([colour, colour[:, :, :1]])):
        np.save(tmp_path / "a.npy", array)
        assert IMAGES.read(tmp_path / "a.npy").mode == "RGB"
        assert np.array_equal(IMAGES.read(tmp_path / "a.npy"), IMAGES.read(array))
        assert IMAGES.check(tmp_path / "a.npy", False).content == IMAGES.check(array, True).content
    assert IMAGES.sniff(Path("a.NPY")) and images_of(2).sniff(Path("a.jpg"))


def test_content_and_not_the_name_decides(tmp_path):
    np.save(tmp_path / "a.npy", np.asarray(picture(1)))
    (tmp_path / "a.npy").rename(tmp_path / "a.png")
    picture(1).save(tmp_path / "b.npy", format="PNG")
    for name in ("a.png", "b.npy"):
        assert np.array_equal(IMAGES.read(tmp_path / name), np.asarray(picture(1)))
        assert [k for k, _ in IMAGES.check(tmp_path / name, False).defects] == ["wrong-suffix"]
    np.save(tmp_path / "c.npy", stack(1, 4))
    (tmp_path / "c.npy").rename(tmp_path / "c.tif")
    assert [k for k, _ in images_of(4).check(tmp_path / "c.tif", False).defects] == ["wrong-suffix"]


def header(text: str, body: bytes = b"") -> bytes:
    """A `.npy` file of version 1 whose header says anything."""
    padded = text.encode("latin1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + body


def dictionary(shape="(4, 4, 3)", descr="'|u1'", order="False"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


@pytest.mark.parametrize(("content", "kind", "says"), [
    (header(dictionary("(4000, 4000, 4)"), bytes(64)), "unreadable", "64 bytes follow"),
    (header(dictionary("(4, 4, 4)"), bytes(65)), "unreadable", "65 bytes follow"),
    (header(dictionary("(900000, 900000, 4)"), bytes(64)), "bomb", "900000 x 900000"),
    (header(dictionary("(-4, -4, 4)"), bytes(64)), "unreadable", "shape"),
    (header(dictionary("(0, 4, 4)")), "unreadable", "shape"),
    (header(dictionary("()"), b"1"), "unreadable", "shape"),
    (header(dictionary("(2, 4, 4, 4)"), bytes(128)), "unreadable", "shape"),
    (header(dictionary("(4, 4, 4)", "'|O'"), bytes(512)), "unreadable", "numbers"),
    (header(dictionary("(4, 4, 4)", "[('r', '|u1')]"), bytes(64)), "unreadable", "numbers"),
    (header(dictionary("(4, 4, 4)", "'<c8'"), bytes(512)), "unreadable", "numbers"),
    (header(dictionary("(4, 4, 4)", "'<f4'"), b"\xff" * 256), "unreadable", "finite"),
    (header(dictionary("(4, 4, 4)", "'nothing'"), bytes(64)), "unreadable", ""),
    (header("(" * 9000), "unreadable", ""), (header("{'descr': '"), "unreadable", ""),
    (header("   x = '''"), "unreadable", "header"), (header("__import__('os').abort()"), "unreadable", "header"),
    (header(dictionary("(4, 4, " + "4" * 9900 + ")")), "unreadable", ""),
    (b"\x93NUMPY", "unreadable", ""), (b"\x93NUMPY\x09\x00aaaa", "unreadable", ""),
    (b"\x93NUMPY\x03\x00\xff\xff\xff\xff{", "unreadable", ""), (b"", "unreadable", "0 bytes"), (b"hello", "unreadable", ""),
])  # fmt: skip
@pytest.mark.parametrize("channels", [3, 4])
def test_a_header_that_lies_is_refused_before_anything_is_read(
    tmp_path, content, kind, says, channels
):
    (tmp_path / "a.npy").write_bytes(content)
    error = given(images_of(channels), tmp_path / "a.npy")
    assert error.kind == kind and says in error.given


def test_every_cut_of_a_sound_npy_file_is_one_clear_error(tmp_path):
    np.save(tmp_path / "whole.npy", stack(1, 4, (6, 5)))
    content = (tmp_path / "whole.npy").read_bytes()
    for length in range(len(content)):
        (tmp_path / "a.npy").write_bytes(content[:length])
        assert given(images_of(4), tmp_path / "a.npy").kind == "unreadable"


def test_damaged_headers_never_raise_anything_else(tmp_path):
    np.save(tmp_path / "whole.npy", stack(1, 4, (6, 5)))
    content, rng = (tmp_path / "whole.npy").read_bytes(), np.random.default_rng(0)
    for _ in range(400):
        bad = bytearray(content)
        for place in rng.integers(6, 128, rng.integers(1, 4)):
            bad[place] = rng.integers(0, 256)
        (tmp_path / "a.npy").write_bytes(bytes(bad))
        try:
            assert images_of(4).read(tmp_path / "a.npy").shape[2] == 4
        except DataError:
            assert images_of(4).check(tmp_path / "a.npy", False).defects


def test_an_array_that_claims_more_than_180_megapixels():
    huge = np.broadcast_to(np.uint8(0), (20_000, 10_000, 4))
    assert given(images_of(4), huge).kind == "bomb" and given(IMAGES, huge).kind == "bomb"
    deep = np.broadcast_to(np.uint8(0), (10_000, 10_000, 13))
    assert given(images_of(13), deep).kind == "bomb"
