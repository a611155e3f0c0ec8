"""The modalities that come with the house, by the names that students and cards keep."""

from __future__ import annotations

from tutelage.modality.images import IMAGES, images_of
from tutelage.modality.record import Modality


def known_modality(name: str) -> Modality | None:
    """The modality of a name, e.g. ``images`` or ``images/4``; None for one of the user's own."""
    base, _, channels = name.partition("/")
    if base == IMAGES.name and (not channels or channels.isdigit()):
        return images_of(int(channels or 3))
    return None
