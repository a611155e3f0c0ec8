"""Viewing: what the layers see, and why a student answers as it does."""

from tutelage.viewing.atlas import Atlas, draw_atlas
from tutelage.viewing.subject import Subject, finished_fit, of_teacher
from tutelage.viewing.wish import Wish

__all__ = ["Atlas", "Subject", "Wish", "draw_atlas", "finished_fit", "of_teacher"]
