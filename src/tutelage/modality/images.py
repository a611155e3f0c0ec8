"""Images as a modality: the record, filled in, for pictures and for any number of channels."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from tutelage.errors import UsageError
from tutelage.modality.images_bands import (
    augment_bands,
    check_bands,
    fingerprint_bands,
    read_bands,
    show_bands,
)
from tutelage.modality.images_check import FORMATS, check, fingerprint
from tutelage.modality.images_heat import attribute, attribute_bands
from tutelage.modality.images_near import confirm
from tutelage.modality.images_perturb import PERTURB
from tutelage.modality.images_read import read, read_reduced
from tutelage.modality.images_view import augment, collate, spec, thumbnail
from tutelage.modality.images_wear import worn
from tutelage.modality.record import Item, Modality

__all__ = ["IMAGES", "augment", "check", "collate", "fingerprint", "images_of", "read", "show", "sniff", "spec"]  # fmt: skip


def sniff(path: Path) -> bool:
    """Does this file name end like an image's? The content is ``check``'s business."""
    return path.suffix.lower() in FORMATS


def show(item: Item, long_side: int) -> bytes:
    """WebP bytes of a thumbnail whose long side has ``long_side`` pixels; raises as ``read`` does."""
    return thumbnail(read(item), long_side)


IMAGES = Modality(
    name="images",
    columns={"image": "path", "image_path": "path", "file_name": "path", "path": "path"},
    sniff=sniff,
    check=check,
    read=read,
    augment=augment,
    collate=collate,
    fingerprint=fingerprint,
    confirm=confirm,
    spec=spec,
    show=show,
    reduced=read_reduced,
    attribute=attribute,
    perturb=PERTURB,
    worn=worn,
)


@cache
def images_of(channels: int) -> Modality:
    """The modality of images with so many channels; the same object for the same number.

    Args:
        channels: 3 is ``IMAGES`` itself (RGB pictures); any other gives arrays (H, W, C).

    Raises:
        UsageError: fewer than one channel.

    Example:
        ``images_of(4).name == "images/4"``
    """
    if channels == 3:
        return IMAGES
    if channels < 1:
        raise UsageError(
            "bad-number", given=f"--channels {channels}", expected="1 (grey), 3 (RGB) or more",
            next="For photos leave it out; for grey pictures type: --channels 1",
        )  # fmt: skip
    return replace(
        IMAGES,
        name=f"images/{channels}",
        check=partial(check_bands, channels=channels),
        read=partial(read_bands, channels=channels),
        reduced=None,
        augment=augment_bands,
        fingerprint=partial(fingerprint_bands, channels=channels),
        show=partial(show_bands, channels=channels),
        attribute=attribute_bands,
    )
