"""Parts of an audit on small networks: what is read, what is imitated, what is shared, what is a control."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from kit import digits
from security_kit import small_teacher

from tutelage.api import audit, fit_run
from tutelage.errors import ArtefactError, DataError, NotYetError, TutelageError, UsageError
from tutelage.modality.images_perturb import PERTURB
from tutelage.run import open_run, silent
from tutelage.security.attacks import crafted_rows, teacher_only
from tutelage.security.beside import beside_rows
from tutelage.security.control import choose_control, noise, redrawn, spec_for
from tutelage.security.examiner import Examiner
from tutelage.security.eye import Eye, as_values
from tutelage.security.fingerprint import fingerprints
from tutelage.security.inheritance import read_inheritance
from tutelage.security.inquiry import Inquiry
from tutelage.security.items import Known, choose_items, known_items
from tutelage.security.labels import either, label_rows
from tutelage.security.mimicry import Crafter, Goals
from tutelage.security.neuron import junk, sure_share
from tutelage.security.presets import preset_named
from tutelage.security.provenance import read_provenance
from tutelage.security.pursuit import Pursuit
from tutelage.security.relevant import reset_slice
from tutelage.security.rows import worst
from tutelage.security.story import tell
from tutelage.security.subject import open_subject
from tutelage.security.universal import universal
from tutelage.student import load

BUDGET = 12.0


@pytest.fixture(scope="module")
def teacher():
    return small_teacher()


@pytest.fixture(scope="module")
def runs(teacher, tmp_path_factory):
    """A deep, a full and a mid student of the same data."""
    place = tmp_path_factory.mktemp("parts")
    photos = digits(place / "photos", classes=4, each=60)
    return {
        m: fit_run(photos, teacher=teacher, mode=m, out=place / m).run
        for m in ("deep", "full", "mid")
    }


@pytest.fixture(scope="module")
def inquiries(runs, teacher, tmp_path_factory):
    found = {}
    for mode, folder in runs.items():
        subject = open_subject(folder, teacher)
        items = choose_items(known_items(folder, subject.student), subject.student, 30, 0)
        control = choose_control(teacher, small_teacher(1), items.references, subject.student.facts.spec, 0)  # fmt: skip
        run = open_run(tmp_path_factory.mktemp("run"), "audit", mode, {}, silent)
        found[mode] = Inquiry(subject, items, control, preset_named("quick", 30), 0, run)
    return found


def test_a_few_labels_find_every_item_that_any_window_fooled(inquiries):
    """An item of the first few that more was tried on is lost if any set fooled it; noise may ask as often."""
    mid = inquiries["mid"]
    crafted = list(teacher_only(mid))
    own = [r for r in crafted if not r.targeted and r.budget == mid.perturb.graded]
    targeted, asked, chance = label_rows(mid, crafted)
    assert [r.threat for r in (targeted, asked, chance)] == ["T2", "T2", "control"]
    assert targeted.targeted and not asked.targeted and asked.attack == f"best of {len(own)}"
    expected = [any(r.fooled[i] for r in own if i < len(r.fooled)) for i in range(len(asked.fooled))]  # fmt: skip
    assert asked.fooled.tolist() == expected and len(asked.fooled) == mid.right.sum()
    assert chance.attack == f"noise, {asked.attack}" and len(chance.fooled) == mid.right.sum()
    assert worst([*crafted, targeted, asked], targeted=False, budget=mid.perturb.graded).threat == "T1"  # fmt: skip
    assert not list(label_rows(mid, own[:1]))


def test_sets_of_fewer_items_are_of_the_first_of_them():
    long, short = np.array([0.0, 1.0, 0.0, 0.5]), np.array([1.0, 0.0])
    assert either([short, long]).tolist() == [1.0, 1.0, 0.0, 0.5]


def test_a_tuned_tail_is_attacked_at_the_last_cut_too(inquiries):
    mid = inquiries["mid"]
    assert 0 < mid.headline < mid.subject.depth
    rows = [r for r in teacher_only(mid) if r.cut == mid.subject.depth]
    assert {(r.attack, r.targeted) for r in rows} == {("copy", True), ("copy", False), ("copy away", False)}  # fmt: skip
    assert all(len(r.fooled) == mid.right.sum() and r.budget == mid.perturb.graded for r in rows)


def test_the_reading_finds_what_is_the_teachers(inquiries):
    deep, full, _ = (read_inheritance(i.subject, i.items.windows) for i in inquiries.values())
    depth = inquiries["deep"].subject.depth
    assert (deep["mode"], deep["read_cut"]) == ("deep", depth)
    assert all(r["equal"] and not r["drift"] for r in deep["stages"])
    assert all(r["cka"] == pytest.approx(1, abs=1e-5) for r in deep["stages"] if r["cka"] is not None)  # fmt: skip
    if inquiries["full"].subject.student.facts.mode == "full":
        assert full["read_cut"] == 0 and any(r["drift"] for r in full["stages"])


def test_items_and_targets_do_not_depend_on_the_student(inquiries):
    deep, full = inquiries["deep"].items, inquiries["full"].items
    assert deep.digest == full.digest and np.array_equal(deep.windows, full.windows)
    assert (deep.targets != deep.truth).all()
    attacked = {w.tobytes() for w in deep.windows}
    assert not attacked & {w.tobytes() for w in deep.references}


def test_a_crafted_set_serves_every_student(inquiries, monkeypatch):
    first = list(crafted_rows(inquiries["deep"], "mimic", 3, BUDGET))
    monkeypatch.setattr(Crafter, "_make", lambda *a: pytest.fail("made again"))
    own = inquiries["deep"].reads() == inquiries["full"].reads()
    if own:
        assert (
            next(iter(crafted_rows(inquiries["full"], "mimic", 3, BUDGET))).budget
            == first[0].budget
        )


@pytest.mark.parametrize("goal", ["mimic", "mimic one", "displace", "copy", "copy away"])
def test_goals_are_approached_inside_the_budget(inquiries, goal):
    inquiry = inquiries["deep"]
    items, depth = inquiry.items, inquiry.subject.depth
    how = Pursuit(20, start=0.5 if goal == "displace" else 0.0)
    made = inquiry.crafter().craft(items, goal, depth, inquiry.reads(), BUDGET, how)
    assert made["windows"].dtype == np.uint8
    assert np.abs(made["windows"].astype(int) - items.windows).max() <= BUDGET
    eye = Eye(inquiry.subject.teacher, inquiry.subject.student.facts.spec, depth, inquiry.reads())
    goals = Goals(eye.calibrate(items.references), items, goal)
    before, after = (
        goals(as_values(w[:16]), slice(0, 16)).detach() for w in (items.windows, made["windows"])
    )
    assert after.mean() < before.mean()


def test_what_heads_read_is_what_the_eye_sees(inquiries):
    """Windows with the same look have the same features before the student's head."""
    inquiry = inquiries["deep"]
    student, windows = inquiry.subject.student, inquiry.items.windows[:4]
    spec, depth = student.facts.spec, inquiry.subject.depth
    eye = Eye(inquiry.subject.teacher, spec, depth, student.facts.reads)
    from tutelage.features.engine import run
    from tutelage.student.predict import tail_features

    batch = {"x": windows}
    features = tail_features(student, student.extractor.rounded(run(student.extractor.compile(batch), batch)))  # fmt: skip
    looked = eye.look(windows).numpy()
    parts = [*(inquiry.subject.teacher.card.stages[k - 1].shape[0] for k in student.facts.reads), student.facts.card.width]  # fmt: skip
    scale = np.concatenate([np.full(p, (len(parts) * p) ** -0.5) for p in parts])
    assert looked == pytest.approx(features * scale, abs=2e-2 * np.abs(features * scale).max())


def test_the_teacher_alone_fools_a_deep_student_more_than_a_control(inquiries):
    inquiry = inquiries["deep"]
    own = max(r.success for r in crafted_rows(inquiry, "copy", inquiry.headline, BUDGET) if not r.targeted)  # fmt: skip
    quiet = inquiry.row("noise", "control", noise(inquiry.items.windows, BUDGET, PERTURB, 0), BUDGET)  # fmt: skip
    assert own >= quiet.success + 0.3


def test_the_right_teacher_is_named_by_labels_alone(inquiries, teacher):
    inquiry = inquiries["deep"]
    spec = inquiry.subject.student.facts.spec
    candidates = [redrawn(teacher, inquiry.items.references, spec, s) for s in (3, 2, 1)] + [
        teacher
    ]
    found = fingerprints(candidates, inquiry.items.windows[:16], spec, PERTURB, lambda w: inquiry.examiner.scores(w)[0], seed=0, steps=60)  # fmt: skip
    assert found[0].teacher == teacher.card.name and found[0].match > found[1].match


def test_probes_of_the_teacher_alone_keep_their_form(inquiries):
    inquiry = inquiries["deep"]
    teacher, spec = inquiry.subject.teacher, inquiry.subject.student.facts.spec
    pattern = universal(teacher, spec, PERTURB, inquiry.items.windows.shape[1:], 8.0, steps=5, seed=0)  # fmt: skip
    assert pattern.shape == inquiry.items.windows.shape[1:] and np.abs(pattern).max() <= 8
    made = junk(teacher, spec, PERTURB, inquiry.items.windows[0], neurons=6, steps=5, seed=0)
    assert made.shape == (6, *inquiry.items.windows.shape[1:]) and made.dtype == np.uint8
    assert sure_share(np.array([[0.96, 0.04], [0.5, 0.5], [0.01, 0.99]])) == (2, 2)


def test_a_redrawn_network_is_another_with_sound_statistics(inquiries, teacher):
    inquiry = inquiries["deep"]
    spec = spec_for(teacher, inquiry.subject.student.facts.spec)
    drawn = redrawn(teacher, inquiry.items.references, spec, 0)
    assert drawn.card.digest != teacher.card.digest
    with torch.no_grad():
        look = Eye(drawn, spec, len(teacher.card.stages)).look(inquiry.items.windows)
    assert torch.isfinite(look).all() and look.std() > 0
    chosen = choose_control(teacher, None, inquiry.items.references, spec, 0)
    assert chosen.teacher.card.digest != teacher.card.digest


def test_another_student_is_shown_the_same_windows(inquiries, runs, teacher, monkeypatch):
    from tutelage.security import beside

    monkeypatch.setattr(beside, "load", lambda folder: open_subject(folder, teacher).student)
    rows = list(beside_rows(inquiries["deep"], runs["full"]))
    assert {r.attack for r in rows} == {"beside: copy", "beside: copy away"}
    assert all(r.threat == "control" for r in rows)


def test_a_random_student_is_noticed_and_asked_often(inquiries):
    inquiry = inquiries["deep"]
    examiner = Examiner(inquiry.subject, inquiry.items)
    rng = np.random.default_rng(0)
    asked = type(examiner).probabilities
    try:
        type(examiner).probabilities = lambda self, w: rng.dirichlet(np.ones(4), len(w))
        assert examiner.random and examiner.answers(inquiry.items.windows[:5]).shape == (8, 5)
    finally:
        type(examiner).probabilities = asked


def test_files_that_could_run_code_are_named_and_not_opened(inquiries, tmp_path):
    subject = inquiries["deep"].subject
    saved = replace(subject.student, folder=None).save(tmp_path / "student")
    (tmp_path / "student" / "extra.pkl").write_bytes(b"\x80\x04cos\nsystem\n.")
    told = read_provenance(replace(subject, student=saved))
    assert told["pickles"] == ["extra.pkl"] and told["verified"]
    assert any("extra.pkl" in finding for finding in told["findings"])


def test_the_least_used_weights_are_reset(teacher):
    layer = torch.nn.Conv2d(2, 4, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(1.0, 9.0).reshape(4, 2, 1, 1))

    class Body(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, batch):
            return self.layer(batch["x"].permute(0, 3, 1, 2))

    windows = np.stack(
        [np.full((3, 3, 2), (100, 1), np.uint8)] * 2
    )  # the second channel is hardly active
    assert reset_slice(Body(), windows, 0.5) == 4
    assert (layer.weight[:, 1] == 0).all() and (layer.weight[:, 0] != 0).all()


def seek(objective, windows, budget, rounds, rng):
    """A modality's own search: random changes, kept where they help."""
    best, lowest = windows, objective(windows)
    for _ in range(rounds):
        tried = PERTURB.settle(best + rng.normal(0, budget, best.shape), windows, budget)
        found = objective(tried)
        if found[0] < lowest[0]:
            best, lowest = tried, found
    return best


def test_a_modality_that_searches_itself_is_audited_without_gradients(inquiries):
    inquiry = inquiries["deep"]
    crafter = replace(inquiry.crafter(), perturb=replace(PERTURB, search=seek))
    items = inquiry.items.first(8)
    made = crafter.craft(items, "mimic", inquiry.subject.depth, (), BUDGET, Pursuit(8))
    assert (made["residual"] < 1).any() and (made["residual"] <= 1 + 1e-5).all()
    assert np.abs(made["windows"].astype(int) - items.windows).max() <= BUDGET
    student = inquiry.subject.student
    modality = replace(student.teacher.modality, perturb=replace(PERTURB, search=seek))
    own = replace(student, teacher=replace(student.teacher, modality=modality))
    subject = replace(inquiry.subject, student=own)
    told = tell(replace(inquiry, subject=subject, items=items))
    attacks = {row["attack"] for row in told["rows"]}
    assert {"search", "copy", "mimic", "noise"} <= attacks
    assert not attacks & {"pgd", "square", "universal"} and told["junk"] is None
    assert not any("gradients are not zero" in test["name"] for test in told["self_tests"])


def test_a_modality_without_perturbations_says_so(runs, teacher):
    bare = replace(teacher, modality=replace(teacher.modality, perturb=None))
    with pytest.raises(NotYetError, match="perturb"):
        open_subject(runs["deep"], bare)


def test_a_student_without_its_run_needs_data(runs, teacher, tmp_path):
    alone = shutil.copytree(runs["deep"] / "student", tmp_path / "third party")
    with pytest.raises(ArtefactError, match="--data"):
        audit(alone, preset="quick", items=6, teacher=teacher, out=tmp_path)
    photos = digits(tmp_path / "photos", classes=4, each=12, skip=100)
    told = audit(alone, preset="quick", items=6, teacher=teacher, control=small_teacher(1), data=photos, out=tmp_path)  # fmt: skip
    assert told["items"]["of"] == 6 and told["control"]["teacher"] == "small1"


class Quantised(torch.nn.Module):
    """A first step that rounds its input to few levels: the gradient through it is zero."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, batch):
        return self.inner({**batch, "x": torch.round(batch["x"].float() / 16) * 16})


def test_a_student_with_masked_gradients_is_not_graded(inquiries):
    inquiry = inquiries["deep"]
    own = inquiry.subject.student.teacher
    masked = replace(own, prepare=lambda spec: Quantised(own.prepare(spec)))
    subject = replace(inquiry.subject, student=replace(inquiry.subject.student, teacher=masked))
    found = tell(replace(inquiry, subject=subject))
    assert found["grade"] is None and any("gradients" in name for name in found["refused"])
    assert "No grade" in found["verdict"][0]


def test_a_frozen_student_stands_in_for_a_teacher_that_cannot_be_had(runs, teacher, monkeypatch):
    from tutelage.security import subject
    from tutelage.student import load

    monkeypatch.setattr(subject, "kept", lambda card: None)
    deep = subject.open_subject(load(runs["deep"], teacher=teacher))
    assert "frozen layers" in deep.told and deep.teacher is deep.student.teacher


def known(rows):
    """(name, label, part, group) -> items; the content is the name."""
    blank = np.zeros((32, 32, 3), np.uint8)
    return [Known(n, label, n, part, blank, group) for n, label, part, group in rows]


def test_of_a_group_one_item_is_attacked_and_none_is_imitated(inquiries):
    student = inquiries["deep"].subject.student
    rows = [
        (f"{c}-{g}-{i}", c, "test", f"video {c}{g}")
        for c in "0123"
        for g in range(10)
        for i in range(5)
    ]
    items = choose_items(known(rows), student, 100, 0)
    groups = {name.rsplit("-", 1)[0] for name in items.names}
    assert len(groups) == len(items.names) == 36


def test_few_items_are_all_attacked_where_the_student_learned_others(inquiries):
    student = inquiries["deep"].subject.student
    rows = [(f"t{c}", c, "test", "") for c in "0123"] + [
        (f"l{c}{i}", c, "train", "") for c in "0123" for i in range(9)
    ]
    assert len(choose_items(known(rows), student, 100, 0)) == 4
    alone = [row for row in rows if row[2] == "test"]
    with pytest.raises(DataError, match="to imitate"):
        choose_items(known(alone[:2]), student, 100, 0)


def test_targets_are_classes_that_there_are_items_of(inquiries):
    student = inquiries["deep"].subject.student
    rows = [(f"{c}{i}", c, "test", "") for c in "012" for i in range(12)]
    items = choose_items(known(rows), student, 20, 0)
    assert set(items.targets) <= {0, 1, 2} and (items.targets != items.truth).all()


def test_a_student_that_is_never_right_is_not_attacked(inquiries):
    deep = inquiries["deep"]
    wrong = replace(deep.items, truth=(deep.examiner.clean[0] + 1) % 4)
    with pytest.raises(DataError, match="gets none"):
        tell(replace(deep, items=wrong))


def test_another_network_is_not_taken_for_the_teacher(runs):
    student = load(runs["deep"], teacher=small_teacher())
    with pytest.raises(UsageError, match="whose stages are"):
        open_subject(student, "efficientnet_lite0")


@pytest.mark.parametrize(
    "name", ["evil.py:build", "student/evil.py", "./evil.safetensors", "some/folder", "x.py:f"]
)
def test_a_name_in_a_received_file_never_runs_code_and_is_no_path(
    runs, tmp_path, monkeypatch, name
):
    """Anybody can write a name into a student's card: its digests hold, and loading runs no code."""
    monkeypatch.chdir(tmp_path)
    for path in ("evil.py", "student/evil.py", "x.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("open('ran', 'w').close()\ndef build(): pass\nf = build\n")
    student = load(runs["deep"], teacher=small_teacher())
    facts = replace(student.facts, card=replace(student.facts.card, name=name, source="pypi:x"))
    forged = replace(student, facts=facts)
    subject = open_subject(forged)
    assert "cannot be had here" in subject.told and not (tmp_path / "ran").exists()
    folder = forged.save(tmp_path / "short", by_reference=True).folder
    with pytest.raises(TutelageError):
        load(folder)
    assert not (tmp_path / "ran").exists()
