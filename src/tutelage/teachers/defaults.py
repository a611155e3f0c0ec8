"""The teacher that ``auto`` stands for, by what the data is."""

from __future__ import annotations

from tutelage.modality import Modality
from tutelage.modality.images import IMAGES
from tutelage.modality.text import TEXTS
from tutelage.teachers.embedded import DEFAULT
from tutelage.teachers.minilm import MINILM

DEFAULTS = {IMAGES.family: DEFAULT, TEXTS.family: MINILM.name}


def default_for(modality: Modality | None) -> str:
    """Name of the teacher; that of images where nothing is known."""
    return DEFAULTS.get(modality.family, DEFAULT) if modality else DEFAULT
