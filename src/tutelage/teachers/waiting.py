"""A teacher that is made ready while the data is looked at: the one needs a core, the other mostly decoders."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from tutelage.modality import Modality
from tutelage.modality.images import images_of
from tutelage.modality.known import known_modality
from tutelage.teachers.defaults import default_for
from tutelage.teachers.embedded import EMBEDDED
from tutelage.teachers.origin import Asked
from tutelage.teachers.published import Line
from tutelage.teachers.zoo import Teacher, load_teacher, wrong_modality


@dataclass(frozen=True)
class Expected:
    """A teacher on its way.

    Attributes:
        modality: what it looks at.
        ready: waits for it; raises what loading it raised.
    """

    modality: Modality
    ready: Callable[[], Teacher]


def expect(asked: Asked, own: Teacher | None, line: Line, kind: Modality | None = None) -> Expected:
    """Begin to load a teacher.

    An embedded one is loaded beside what comes next. One that may have to be fetched, or that runs the user's
    own code, is loaded now, so that a wrong name costs no look at the data and an interruption ends it.

    Args:
        asked: see ``load_teacher``.
        own: a teacher that is there already.
        line: how fetching is told.
        kind: what the data looks like, if anything tells: where no teacher is named, that says which one it is.

    Raises:
        UsageError: the teacher does not look at such data.
    """
    if asked.name == "auto":
        asked = replace(asked, name=default_for(kind))
    expected = _begun(asked, own, line)
    known = known_modality(expected.modality.name)
    if kind is not None and known is not None and known.family != kind.family:
        raise wrong_modality(own.card.name if own else asked.name, known, kind)
    return expected


def _begun(asked: Asked, own: Teacher | None, line: Line) -> Expected:
    if own is not None or asked.weights or asked.name not in EMBEDDED:
        teacher = own or load_teacher(asked, line=line)
        return Expected(teacher.modality, lambda: teacher)
    with_one = ThreadPoolExecutor(1, thread_name_prefix="teacher")
    loading: Future[Teacher] = with_one.submit(load_teacher, asked, None, line)
    with_one.shutdown(wait=False)
    return Expected(images_of(asked.channels), loading.result)
