"""A companion (`--with`): it teaches, it never tests, and it moves nothing that is the user's."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from images_kit import photos, picture, save
from test_data_splits import made, marked, placed, plain

from tutelage.data import carve_validation, check, open_source, split
from tutelage.data.copies import DISTANCE, near_pairs
from tutelage.errors import DataError, UsageError
from tutelage.modality import Fingerprint


@pytest.fixture
def user(tmp_path):
    return photos(tmp_path / "user", each=14)


@pytest.fixture
def public(tmp_path):
    root = tmp_path / "public"
    for c, name in enumerate(("cat", "dog", "owl")):
        for n in range(8):
            save(root / name / f"{n}.jpg", 20_000 + 1000 * c + n)
    return root


def guests(checked, indices):
    return [i for i in indices if checked.dataset.examples[i].companion]


def found(checked, kind):
    return [set(f.where) for f in checked.findings if f.kind == kind]


# -- opening -------------------------------------------------------------------------------------------


def test_a_companion_is_appended_with_names_and_a_mark_of_its_own(user, public):
    alone, both = open_source(user), open_source(user, companion=public)
    assert both.examples[:28] == alone.examples and not any(e.companion for e in alone.examples)
    added = both.examples[28:]
    assert all(e.companion and e.name.startswith("with/") and e.part is None for e in added)
    assert added[0].name == "with/cat/0.jpg" and len(added) == 24
    assert both.classes == ("cat", "dog", "owl"), "the union"


def test_its_parts_count_as_training_material(user, public, tmp_path):
    for part in ("train", "test", "val"):
        shutil.copytree(public, tmp_path / "parts" / part)
    dataset = open_source(user, companion=tmp_path / "parts")
    assert {e.part for e in dataset.examples} == {None}
    checked = check(dataset, full=False)
    parts = split(checked)
    assert not guests(checked, (*parts.test, *parts.val))


def test_what_is_wrong_with_it_is_said_under_its_name(user, public):
    (public / "cat/notes.txt").write_text("x")
    (public / "empty").mkdir()
    (public / "dog/broken.jpg").write_bytes(b"")
    checked = check(open_source(user, companion=public), full=False)
    assert "with/cat/notes.txt" in checked.dataset.ignored
    assert {"with/empty/"} in found(checked, "empty-class")
    assert found(checked, "unreadable") == [{"with/dog/broken.jpg"}]
    assert dict(split(checked).set_aside) == {28 + 8 + 8: "unreadable"}


def test_its_groups_are_its_own(tmp_path):
    for root, seed in (("user", 0), ("public", 500), ("other", 900)):
        for n in range(6):
            name = f"patient{n // 2}_{n}" if root != "other" else f"{n}"
            save(tmp_path / root / "ab"[n % 2] / f"{name}.png", seed + n)
    dataset = open_source(
        tmp_path / "user", companion=tmp_path / "public", group_by=r"(patient\d+)_"
    )
    assert {e.group for e in dataset.examples if not e.companion} == {"patient0", "patient1", "patient2"}  # fmt: skip
    assert {e.group for e in dataset.examples if e.companion} == {"with/patient0", "with/patient1", "with/patient2"}  # fmt: skip
    lenient = open_source(tmp_path / "user", companion=tmp_path / "other", group_by=r"(patient\d+)_")  # fmt: skip
    assert {e.group for e in lenient.examples if e.companion} == {None}
    with pytest.raises(UsageError, match="matches no name"):
        open_source(tmp_path / "other", companion=tmp_path / "user", group_by=r"(patient\d+)_")


def test_a_companion_that_is_not_there(user, tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        open_source(user, companion=tmp_path / "publik")
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError, match="bare"):
        open_source(user, companion=tmp_path / "bare")


# -- copies --------------------------------------------------------------------------------------------


def test_copies_of_own_items_are_left_out_and_named_in_one_finding(user, public):
    shutil.copy(user / "cat/3.jpg", public / "cat/bytes.jpg")
    picture(20_005).save(user / "cat/pixels.png")
    picture(20_005).save(public / "cat/pixels.bmp")
    large = picture(77, (400, 300))
    large.resize((200, 150)).save(user / "dog/small.jpg", quality=80)
    large.save(public / "dog/large.jpg", quality=95)
    shutil.copy(user / "dog/1.jpg", public / "owl/mistaken.jpg")
    shutil.copy(public / "owl/2.jpg", public / "owl/2 again.jpg")
    checked = check(open_source(user, companion=public), full=False)
    out = {"with/cat/bytes.jpg", "with/cat/pixels.bmp", "with/dog/large.jpg", "with/owl/mistaken.jpg"}  # fmt: skip
    assert found(checked, "copy-of-own") == [out | {"with/cat/5.jpg"}]
    said = next(f for f in checked.findings if f.kind == "copy-of-own")
    assert said.severity == "warning" and "is cat/3.jpg" in said.remedy
    assert found(checked, "label-conflict") == [{"dog/1.jpg", "with/owl/mistaken.jpg"}]
    assert found(checked, "exact-duplicate") == [{"with/owl/2.jpg", "with/owl/2 again.jpg"}]
    assert not found(checked, "near-duplicate") and not found(checked, "leak")
    parts = split(checked)
    aside = {checked.dataset.examples[i].name: reason for i, reason in parts.set_aside}
    assert aside == dict.fromkeys(out | {"with/cat/5.jpg"}, "copy-of-own")
    rows = {row["name"]: row for row in parts.as_rows(checked)}
    assert rows["with/cat/bytes.jpg"]["part"] == "aside: copy-of-own"
    assert rows["with/cat/bytes.jpg"]["group"] == rows["cat/3.jpg"]["group"]


def test_a_companion_that_is_the_users_own_folder_teaches_nothing_new(user):
    checked = check(open_source(user, companion=user), full=False)
    parts, alone = split(checked), split(check(open_source(user), full=False))
    assert (parts.train, parts.test) == (alone.train, alone.test)
    assert {r for _, r in parts.set_aside} == {"copy-of-own"} and len(parts.set_aside) == 28
    assert not found(checked, "exact-duplicate") and not found(checked, "label-conflict")
    assert len(found(checked, "copy-of-own")) == 1


def test_a_copy_of_an_item_given_by_test_is_left_out_too(user, public, tmp_path):
    save(tmp_path / "test/cat/a.jpg", 1), save(tmp_path / "test/dog/a.jpg", 70)
    shutil.copy(tmp_path / "test/dog/a.jpg", public / "dog/seen.jpg")
    checked = check(open_source(user, test=tmp_path / "test", companion=public), full=False)
    parts = split(checked)
    assert [set(f.where) for f in checked.findings if f.kind == "copy-of-own"] == [{"with/dog/seen.jpg"}]  # fmt: skip
    assert {checked.dataset.examples[i].name for i in parts.test} == {"test/cat/a.jpg", "test/dog/a.jpg"}  # fmt: skip


def test_a_class_that_only_the_companion_has_is_learned_and_cannot_be_tested(user, public):
    checked = check(open_source(user, companion=public), full=False)
    parts = split(checked)
    assert ("owl",) in [f.where for f in parts.findings if f.kind == "class-missing"]
    labels = Counter(checked.dataset.examples[i].label for i in parts.train)
    assert labels["owl"] == 8 and labels["cat"] > 8


def test_left_out_copies_count_in_no_class(user, tmp_path):
    for n in range(3):
        save(tmp_path / "public/owl" / f"{n}.jpg", 300 + n)
    for n in range(9):
        shutil.copy(user / f"cat/{n}.jpg", tmp_path / f"public/owl/copy {n}.jpg")
    checked = check(open_source(user, companion=tmp_path / "public"), full=False)
    tiny = next(f for f in checked.findings if f.kind == "tiny-class")
    assert tiny.where == ("owl",) and tiny.remedy.startswith("3 usable")


def test_a_crowd_of_near_copies_of_one_own_item_is_left_out_to_the_last():
    """More than a bucket or a comparison list holds: look-ups of the two sides do not crowd each other out."""
    rng = np.random.default_rng(0)
    own = [{**row, "mark": marked(rng)} for row in plain(20)]
    crowd = [
        {"name": f"g{n}", "label": "a", "companion": True, "mark": marked(rng, own[3]["mark"])}
        for n in range(300)
    ]
    checked = made([*own, *crowd])
    assert checked.copies_of_own == dict.fromkeys(range(20, 320), 3)


def test_pairs_across_are_those_that_all_pairs_give():
    rng = np.random.default_rng(3)
    first = [marked(rng) for _ in range(40)]
    prints = first + [marked(rng, m) if n % 2 else marked(rng) for n, m in enumerate(first)]
    pairs = near_pairs(prints, IMAGES_PLAIN, first=40)
    assert pairs == [(n, 40 + n) for n in range(40) if n % 2]
    assert near_pairs(prints[:40], IMAGES_PLAIN, first=40) == []
    assert near_pairs(prints[40:], IMAGES_PLAIN, first=0) == [] == near_pairs([], IMAGES_PLAIN)


IMAGES_PLAIN = made(plain(2)).dataset.modality
"""Images whose near-copies are confirmed by correlation alone."""


# -- the split -----------------------------------------------------------------------------------------


def copies_by_hand(rows):
    """Which companion rows are copies of own ones, pair by pair."""
    out = set()
    for n, guest in enumerate(rows):
        for own in rows:
            if not guest.get("companion") or own.get("companion"):
                continue
            same = guest.get("digest", guest["name"]) == own.get("digest", own["name"])
            near = guest["mark"] and own["mark"] and alike(guest["mark"], own["mark"])
            if same or near:
                out.add(n)
    return out


def alike(left: Fingerprint, right: Fingerprint) -> bool:
    bits = int(left.words[0] ^ right.words[0]).bit_count()
    return bits <= DISTANCE and np.corrcoef(left.vector, right.vector)[0, 1] >= 0.98


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_the_users_own_are_split_as_if_there_were_no_companion(data):
    """Whatever the companion holds, and however the user's own are split: same groups, keys and parts."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    draw = lambda *of: data.draw(st.sampled_from(of))  # noqa: E731
    own = [
        {**row, "mark": marked(rng), "richness": int(rng.integers(1, 1000))}
        for row in plain(40, "abc")
    ]
    for n in range(40, 50):  # copies among the user's own
        of = own[int(rng.integers(0, 40))]
        near = {"mark": marked(rng, of["mark"]), "richness": int(rng.integers(1, 1000))}
        same = {"mark": of["mark"], "digest": of["name"], "richness": of["richness"]}
        own.append({"name": f"n{n}", "label": "abc"[n % 3], **(near if n % 2 else same)})
    how = draw("hash", "groups", "test", "val", "few")
    for n, row in enumerate(own):
        row["part"] = {"test": ("train", "test", "val")[n // 3 % 3], "val": ("train", "val")[n // 3 % 2]}.get(how)  # fmt: skip
        row["group"] = f"p{n // 4}" if how == "groups" else None
        row["usable"] = n % 11 != 0
    dials = {
        "split_seed": draw(0, 1),
        "test_share": draw(0.0, 0.2, 0.5),
        "per_class_train": 5 if how == "few" else None,
    }
    added = []
    for n in range(data.draw(st.integers(1, 40))):
        row = {"name": f"with/{n}", "label": draw(*"abcd"), "mark": marked(rng), "companion": True}
        row |= {"richness": int(rng.integers(1, 2000)), "usable": n % 13 != 1}
        row["group"] = draw(None, "with/p1") if how == "groups" else None
        of = draw(*own, *added)
        what = draw("new", "copy", "near")
        if what == "copy":
            row |= {"digest": of.get("digest", of["name"]), "mark": of["mark"], "richness": of["richness"]}  # fmt: skip
        if what == "near":
            row["mark"] = marked(rng, of["mark"])
        added.append(row)
    added.append({"name": "with/last", "label": "d", "mark": None, "companion": True})
    alone, both = made(own), made([*own, *added])
    for name in ("contents", "groups", "keys", "bridges"):
        assert getattr(both, name)[:50] == getattr(alone, name), name
    assert {c: n for c, n in both.near.items() if c in alone.near} == alone.near
    before, after = split(alone, **dials), split(both, **dials)
    where = placed(both, after)
    assert {row["name"]: where[row["name"]] for row in own} == placed(alone, before)
    assert (after.test, after.val) == (before.test, before.val)
    assert after.reported == before.reported
    assert set(both.copies_of_own) == copies_by_hand([*own, *added])
    for n, row in enumerate(added, start=50):
        reason = "copy-of-own" if n in both.copies_of_own else "train"
        expected = {"train": "train", "copy-of-own": "aside: copy-of-own"}[reason]
        assert where[row["name"]] == (expected if row.get("usable", True) else "aside: unreadable")


@pytest.mark.parametrize(
    "dials", [{}, {"split_seed": 5}, {"per_class_train": 4}, {"test_share": 0.5}]
)
def test_the_test_set_of_real_photos_is_the_same_with_and_without(user, public, dials):
    for n in range(4):
        shutil.copy(user / f"cat/{n}.jpg", public / f"cat/own {n}.jpg")
        picture(1000 + n).resize((100, 75)).save(public / f"dog/small {n}.jpg", quality=80)
    alone = check(open_source(user), full=False)
    both = check(open_source(user, companion=public), full=False)
    assert len(both.copies_of_own) == 8
    before, after = split(alone, **dials), split(both, **dials)
    assert after.test == before.test and before.test
    assert set(before.train) == {i for i in after.train if i not in guests(both, after.train)}
    assert len(guests(both, after.train)) == 24


def test_given_parts_are_obeyed_beside_a_companion(public, tmp_path):
    for part, start in (("train", 0), ("test", 50)):
        for c, name in enumerate(("cat", "dog")):
            for n in range(4):
                save(tmp_path / "own" / part / name / f"{n}.jpg", 1000 * c + start + n)
    shutil.copy(tmp_path / "own/test/cat/1.jpg", tmp_path / "own/train/cat/leak.jpg")
    shutil.copy(tmp_path / "own/test/cat/2.jpg", public / "cat/leak.jpg")
    alone = check(open_source(tmp_path / "own"), full=False)
    both = check(open_source(tmp_path / "own", companion=public), full=False)
    before, after = split(alone), split(both)
    assert after.test == before.test and len(after.test) == 8
    assert after.set_aside[: len(before.set_aside)] == before.set_aside != ()
    assert len(guests(both, after.train)) == 24
    leaks = [set(f.where) for f in both.findings if f.kind == "leak"]
    assert leaks == [{"train/cat/leak.jpg", "test/cat/1.jpg"}], "a companion's copy is no leak"


def test_a_class_that_the_user_has_in_test_alone_is_tested_once_the_companion_teaches_it():
    own = [{**row, "part": "test" if n % 3 == 0 else "train"} for n, row in enumerate(plain(60))]
    own.append({"name": "z", "label": "z", "part": "test"})
    theirs = [{"name": f"with/{n}", "label": "z", "companion": True} for n in range(5)]
    alone = made(own)
    alone = replace(alone, dataset=replace(alone.dataset, classes=("a", "b")))
    assert placed(alone, split(alone))["z"] == "aside: class-extra"
    assert placed(both := made([*own, *theirs]), split(both))["z"] == "test"


# -- validation ----------------------------------------------------------------------------------------


def beside(own, theirs):
    """Checked from plain rows: the user's own, and a companion's."""
    return made(
        [*own, *({**row, "name": f"with/{row['name']}", "companion": True} for row in theirs)]
    )


def test_validation_is_carved_from_the_users_own():
    checked = beside(plain(200), plain(3000, "abc", start=1000))
    parts = split(checked)
    carved = carve_validation(parts, checked, 0.15)
    own = [i for i in parts.train if i < 200]
    assert carved.val and max(carved.val) < 200
    assert abs(len(carved.val) / len(own) - 0.15) < 0.07
    assert set(carved.train) | set(carved.val) == set(parts.train) and carved.test == parts.test
    assert carved.val == carve_validation(split(beside(plain(200), [])), beside(plain(200), []), 0.15).val  # fmt: skip


def test_a_few_own_items_still_judge_every_class_that_the_user_has():
    for seed in range(20):
        checked = beside(plain(12, "abc"), plain(600, "abcd", start=1000))
        parts = split(checked, split_seed=seed)
        carved = carve_validation(parts, checked, 0.15, seed)
        labels = {checked.dataset.examples[i].label for i in carved.val}
        several = Counter(checked.dataset.examples[i].label for i in parts.train if i < 12)
        assert labels == {label for label, n in several.items() if n > 1} and max(carved.val) < 12
        left = {checked.dataset.examples[i].label for i in carved.train if i < 12}
        assert left == set(several), "and one of each is left to learn from"


def test_with_too_few_own_items_validation_is_carved_from_all():
    checked = beside(plain(3, "abc"), plain(900, "abc", start=1000))
    parts = split(checked)
    carved = carve_validation(parts, checked, 0.15)
    assert guests(checked, carved.val) and abs(len(carved.val) / len(parts.train) - 0.15) < 0.05


def test_without_a_companion_the_rule_is_what_it_was():
    """The hash and its threshold, written down by hand."""
    import hashlib

    checked = made(plain(300))
    parts = split(checked)
    by_hand = {
        i for i in parts.train
        if int(hashlib.sha256(f"0|validation|{checked.groups[i]}".encode()).hexdigest()[:13], 16) / 16**13 < 0.15
    }  # fmt: skip
    assert set(carve_validation(parts, checked, 0.15).val) == by_hand
    assert carve_validation(parts, checked, 0.0) == parts
