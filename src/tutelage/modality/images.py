"""Images as a modality: the record, filled in."""

from __future__ import annotations

from pathlib import Path

from tutelage.modality.images_check import FORMATS, check, fingerprint
from tutelage.modality.images_near import confirm
from tutelage.modality.images_read import read
from tutelage.modality.images_view import augment, collate, spec, thumbnail
from tutelage.modality.record import Item, Modality

__all__ = ["IMAGES", "augment", "check", "collate", "fingerprint", "read", "show", "sniff", "spec"]


def sniff(path: Path) -> bool:
    """Does this file name end like an image's? The content is ``check``'s business."""
    return path.suffix.lower() in FORMATS


def show(item: Item, long_side: int) -> bytes:
    """PNG bytes of a thumbnail whose long side has ``long_side`` pixels; raises as ``read`` does."""
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
)
