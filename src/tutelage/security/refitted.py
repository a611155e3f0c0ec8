"""A student that undoes what an adversary did before it reads: its head fitted anew on what is then read.

Where a modality knows how its items are restored (``Perturb.restored``), the remedy stands before the trunk, which stays
the teacher's. Views of the training items with random edits, restored as well, teach the head what is left of them. All
of it is closed-form: every seed gives the same student.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from tutelage.features.activations import Activations
from tutelage.modality import InputSpec, lacking
from tutelage.network.decision import FreezeDecision
from tutelage.runtime import Runtime
from tutelage.security.remedies import Remedy
from tutelage.security.subject import Subject
from tutelage.student import Student
from tutelage.training import Lesson, Trained, train


@dataclass(frozen=True)
class Refit:
    """What every such remedy starts from.

    Attributes:
        lesson: the parent's data and split, with the public teacher.
        subject: the parent.
        runtime: handed on to training.
        held: keeps the caches open.
        lessons: by what is undone.
    """

    lesson: Lesson
    subject: Subject
    runtime: Runtime
    held: ExitStack
    lessons: dict[InputSpec, Lesson] = field(default_factory=dict)

    @property
    def cuts(self) -> tuple[int, ...]:
        """Cuts that twins were made at: none."""
        return ()

    def students(self, remedy: Remedy, seeds: Sequence[int]) -> tuple[Trained, ...]:
        """One a seed; they are the same."""
        made = self._made(remedy)
        return tuple(made for _ in seeds)

    def lesson_for(self, student: Student) -> Lesson:
        """The lesson as a student reads it."""
        return self._lesson(student.facts.spec)

    def _made(self, remedy: Remedy) -> Trained:
        lesson = replace(self._lesson(self._spec(remedy)), views=remedy.views, probes={})
        because = (f"hardened by {remedy.name}: {remedy.because}",)
        decision = FreezeDecision("deep", lesson.depth, lesson.teacher.card.names, because, asked=True)  # fmt: skip
        trained = train(lesson, decision, self.runtime)
        told = {"remedy": remedy.as_json(), "parent": self.subject.student.digest, "views": remedy.views}  # fmt: skip
        student = trained.student
        facts = replace(student.facts, recipe={**student.facts.recipe, **told})
        return replace(trained, student=replace(student, facts=facts))

    def _spec(self, remedy: Remedy) -> InputSpec:
        own, restored = self.lesson.activations.spec, self.subject.perturb.restored
        if not remedy.restore:
            return own
        if restored is None:
            raise lacking(self.lesson.teacher.modality, "restoring")
        return restored(own)

    def _lesson(self, spec: InputSpec) -> Lesson:
        if spec == self.lesson.activations.spec:
            return self.lesson
        if spec not in self.lessons:
            old = self.lesson.activations
            opened = Activations(old.teacher, spec, old.engine, old.items, old.digests, announce=self.lesson.run.progress)  # fmt: skip
            self.lessons[spec] = replace(self.lesson, activations=self.held.enter_context(opened))
        return self.lessons[spec]


@contextmanager
def refitting(lesson: Lesson, subject: Subject, runtime: Runtime) -> Iterator[Refit]:
    """Open what is needed, until the best remedy has shipped."""
    with ExitStack() as held:
        yield Refit(lesson, subject, runtime, held)
