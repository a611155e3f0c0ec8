from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from images_kit import photos, picture, save

from shared import SHARED, needs_shared
from tutelage.data import carve_validation, check, open_source, split
from tutelage.data.checks import Checked
from tutelage.data.companion import find_kin_apart
from tutelage.data.example import Dataset, Example
from tutelage.errors import DataError, UsageError
from tutelage.modality import Facts, Fingerprint, Modality
from tutelage.modality.images import IMAGES


def marked(rng, of=None):
    """A fingerprint; of another one: a near copy of it."""
    if of is None:
        return Fingerprint(rng.integers(0, 1 << 63, 1, dtype=np.uint64), rng.random(16))
    return Fingerprint(of.words ^ np.uint64(1), of.vector + rng.random(16) * 1e-3)


def made(rows, modality=IMAGES):
    """Checked from rows (name, label, digest, richness, fingerprint, part, group); nothing is read."""
    plain = replace(modality, confirm=None)
    examples = tuple(
        Example(r["name"], r["name"], r["label"], r.get("part"), r.get("group"), r.get("companion", False))
        for r in rows
    )  # fmt: skip
    dataset = Dataset(examples, tuple(sorted({e.label for e in examples})), plain, "made")
    digests = tuple(hashlib.sha256(r.get("digest", r["name"]).encode()).hexdigest() for r in rows)
    facts = [Facts(richness=r.get("richness", 1), fingerprint=r.get("mark")) for r in rows]
    kin = find_kin_apart(dataset, digests, facts)
    usable = tuple(r.get("usable", True) for r in rows)
    return Checked(
        dataset, (), digests, tuple(facts), kin.contents, kin.near, kin.groups, kin.keys, kin.bridges, usable,
        kin.copies_of_own,
    )  # fmt: skip


def plain(count, classes="ab", start=0):
    return [
        {"name": f"n{n}", "label": classes[n % len(classes)]} for n in range(start, start + count)
    ]


def placed(checked, parts):
    return {row["name"]: row["part"] for row in parts.as_rows(checked)}


def test_shares_are_met_about_and_parts_are_disjoint():
    checked = made(plain(4000, "abcd"))
    parts = split(checked)
    assert len(parts.train) + len(parts.test) == 4000 and not set(parts.train) & set(parts.test)
    assert abs(len(parts.test) / 4000 - 0.2) < 0.03
    labels = Counter(checked.dataset.examples[i].label for i in parts.test)
    assert all(abs(labels[c] / 1000 - 0.2) < 0.05 for c in "abcd")


def test_another_seed_is_another_split_and_the_same_seed_the_same():
    checked = made(plain(400))
    assert split(checked, split_seed=1) == split(checked, split_seed=1)
    assert split(checked, split_seed=1).test != split(checked, split_seed=2).test


def test_the_hash_is_this_one_for_ever():
    """Written down from sha256 by hand: a change would move everybody's files."""
    checked = made(plain(50))
    expected = {
        i for i, d in enumerate(checked.digests)
        if int(hashlib.sha256(f"3|{d}".encode()).hexdigest()[:13], 16) / 16**13 < 0.3
    }  # fmt: skip
    assert set(split(checked, split_seed=3, test_share=0.3).test) == expected


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_adding_files_never_moves_an_old_one(data):
    """Distinct files, exact copies, and copies that hold less than what they are copies of."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    rows = [{**row, "mark": marked(rng), "richness": 1000} for row in plain(60, "abc")]
    first = made(rows)
    before = placed(first, split(first))
    added = []
    for n in range(data.draw(st.integers(1, 40))):
        what = data.draw(st.sampled_from(["new", "copy", "near", "bridge"]))
        of = rows[data.draw(st.integers(0, 59))]
        row = {"name": f"new{n}", "label": of["label"], "mark": marked(rng), "richness": 1000}
        if what == "copy":
            row |= {"digest": of["name"], "mark": of["mark"]}
        if what in ("near", "bridge"):
            row |= {"mark": marked(rng, of["mark"]), "richness": data.draw(st.integers(1, 999))}
        added.append(row)
    mixed = [*rows, *added]
    rng.shuffle(mixed)
    after_checked = made(mixed)
    after = placed(after_checked, split(after_checked))
    assert {name: after[name] for name in before} == before
    for row in added:
        assert after[row["name"]] in ("train", "test") or after[row["name"]].startswith("aside")


def test_near_copies_share_a_part():
    rng = np.random.default_rng(0)
    rows = []
    for row in plain(300):
        mark = marked(rng)
        rows += [{**row, "mark": mark, "richness": 9}]
        rows += [{**row, "name": row["name"] + "c", "mark": marked(rng, mark), "richness": 3}]
    checked = made(rows)
    parts = split(checked)
    assert not parts.set_aside
    where = placed(checked, parts)
    assert all(where[f"n{n}"] == where[f"n{n}c"] for n in range(300))
    assert len(set(checked.groups)) == 300


def test_a_file_that_joins_two_groups_of_different_parts_is_set_aside():
    rng = np.random.default_rng(0)
    rows = plain(40)
    checked = made(rows)
    parts = split(checked)
    a, b = parts.train[0], parts.test[0]
    one = marked(rng)
    two = Fingerprint(
        one.words ^ np.uint64(0b11111100000), one.vector + 0.2 * rng.standard_normal(16)
    )
    middle = Fingerprint(one.words ^ np.uint64(0b11100000), (one.vector + two.vector) / 2)
    rows[a] |= {"mark": one, "richness": 9}
    rows[b] |= {"mark": two, "richness": 9}
    corr = np.corrcoef([one.vector, middle.vector, two.vector])
    assert corr[0, 2] < 0.98 < min(corr[0, 1], corr[1, 2])
    joined = made([*rows, {"name": "bridge", "label": "a", "mark": middle, "richness": 2}])
    after = split(joined)
    assert after.set_aside == ((40, "group-joins-parts"),)
    assert after.train == parts.train and after.test == parts.test
    assert [f.where for f in after.findings if f.kind == "group-joins-parts"] == [("bridge",)]


def test_groups_by_patient_are_never_torn():
    rows = [{**row, "group": f"p{n // 5}"} for n, row in enumerate(plain(400))]
    checked = made(rows)
    where = placed(checked, split(checked))
    by_group = [{where[f"n{n}"] for n in range(p * 5, p * 5 + 5)} for p in range(80)]
    assert all(len(parts) == 1 for parts in by_group) and len({frozenset(p) for p in by_group}) == 2


def test_a_copy_in_another_patient_is_set_aside_where_the_parts_differ():
    rows = [{**row, "group": f"p{n // 5}"} for n, row in enumerate(plain(400))]
    where = placed(made(rows), split(made(rows)))
    test = next(n for n in range(400) if where[f"n{n}"] == "test")
    train = next(n for n in range(400) if where[f"n{n}"] == "train")
    rows[train]["digest"] = rows[test]["name"]
    after = placed(made(rows), split(made(rows)))
    moved = {name for name in where if where[name] != after[name]}
    assert len(moved) == 1 and moved <= {f"n{train}", f"n{test}"}
    assert after[moved.pop()] == "aside: group-joins-parts"


def test_a_class_without_a_test_item_gives_its_lowest_hash():
    rows = [*plain(200), *({"name": f"r{n}", "label": "rare"} for n in range(3))]
    for seed in range(20):
        checked = made(rows)
        parts = split(checked, split_seed=seed)
        rare = sorted(
            range(200, 203),
            key=lambda i: hashlib.sha256(f"{seed}|{checked.digests[i]}".encode()).digest(),
        )
        in_test = [i for i in rare if i in parts.test]
        assert in_test and in_test == rare[: len(in_test)] and len(in_test) < 3


def test_one_image_in_a_class_trains_and_is_said():
    checked = made([*plain(100), {"name": "single", "label": "lonely"}])
    for seed in range(30):
        parts = split(checked, split_seed=seed)
        assert 100 in parts.train
        assert [f.where for f in parts.findings if f.kind == "class-missing"] == [("lonely",)]


def test_per_class_train_takes_the_lowest_hashes():
    checked = made(plain(300, "abc"))
    parts = split(checked, per_class_train=10)
    assert Counter(checked.dataset.examples[i].label for i in parts.train) == {
        "a": 10,
        "b": 10,
        "c": 10,
    }
    assert len(parts.test) == 270
    more = split(checked, per_class_train=11)
    assert set(parts.train) < set(more.train)


def test_per_class_train_counts_where_the_source_gives_its_parts_too():
    rows = [{**row, "part": "test" if n % 3 == 0 else "train"} for n, row in enumerate(plain(60))]
    checked = made(rows)
    parts = split(checked, per_class_train=5)
    labels = [checked.dataset.examples[i].label for i in parts.train]
    assert Counter(labels) == {"a": 5, "b": 5}
    assert set(parts.test) == set(split(checked).test) and len(parts.test) == 20
    assert sum(part == "aside: beyond-per-class-train" for part in placed(checked, parts).values()) == 30  # fmt: skip
    more = split(checked, per_class_train=6)
    assert set(parts.train) < set(more.train)


def test_per_class_train_never_tests_on_a_copy_or_a_patient_that_it_learned_from():
    rows = [{**row, "group": f"p{n // 10}"} for n, row in enumerate(plain(200))]
    rows[150]["digest"] = rows[3]["name"]
    checked = made(rows)
    parts = split(checked, per_class_train=7)
    learned, tested = ({checked.keys[i] for i in side} for side in (parts.train, parts.test))
    assert len(parts.train) == 14 and not learned & tested
    assert {reason for _, reason in parts.set_aside} == {"group-joins-parts"}
    assert not {checked.contents[i] for i in parts.train} & {
        checked.contents[i] for i in parts.test
    }


def test_given_parts_are_obeyed_and_leaks_leave_training():
    rows = [{**row, "part": "test" if n >= 80 else None} for n, row in enumerate(plain(100))]
    rows[5]["digest"] = rows[90]["name"]
    rows[7] |= {"part": "val"}
    checked = made(rows)
    parts = split(checked)
    assert parts.test == tuple(range(80, 100)) and parts.val == (7,)
    assert parts.train == tuple(n for n in range(80) if n not in (5, 7))
    assert parts.set_aside == ((5, "leak"),)
    assert next(f for f in parts.findings if f.kind == "leak").remedy.startswith("1 ")


def test_train_and_val_alone_report_on_val(tmp_path):
    photos(tmp_path / "train", each=3)
    photos(tmp_path / "val", classes=("cat", "dog"), each=1)
    for name, seed in (("cat", 5000), ("dog", 6000)):
        save(tmp_path / "val" / name / "0.jpg", seed)
    checked = check(open_source(tmp_path), full=False)
    parts = split(checked)
    assert parts.reported == "val" and len(parts.test) == 2 and parts.val == ()
    assert Counter(row["part"] for row in parts.as_rows(checked)) == {"train": 6, "val": 2}


@needs_shared
def test_the_official_val_of_hymenoptera_is_the_reported_test():
    checked = check(open_source(SHARED / "data/hymenoptera"), full=False)
    parts = split(checked)
    assert (len(parts.test), parts.reported) == (153, "val")
    assert len(parts.train) + len(parts.set_aside) == 245


def test_broken_items_are_set_aside_and_move_nothing():
    rows = plain(200)
    parts = split(made(rows))
    broken = [{**row, "usable": n % 10 != 0} for n, row in enumerate(rows)]
    after = split(made(broken))
    assert set(after.train) == {i for i in parts.train if i % 10}
    assert {i for i, reason in after.set_aside if reason == "unreadable"} == set(range(0, 200, 10))


def test_a_class_with_only_broken_files_is_one_clear_error(tmp_path):
    root = photos(tmp_path, classes=("cat", "dog", "owl", "rat"), each=3)
    for name in ("owl", "rat"):
        for file in (root / name).iterdir():
            file.write_bytes(b"")
    with pytest.raises(DataError, match="owl, rat") as caught:
        split(check(open_source(root), full=False))
    assert caught.value.kind == "class-untrainable" and "tutelage check" in caught.value.next


def test_validation_is_carved_off_train_by_whole_groups():
    rng = np.random.default_rng(0)
    rows = []
    for row in plain(600):
        mark = marked(rng)
        rows += [
            {**row, "mark": mark},
            {**row, "name": row["name"] + "c", "mark": marked(rng, mark)},
        ]
    checked = made(rows)
    parts = split(checked)
    carved = carve_validation(parts, checked, 0.15)
    assert carved.test == parts.test and set(carved.train) | set(carved.val) == set(parts.train)
    assert abs(len(carved.val) / len(parts.train) - 0.15) < 0.04
    groups = [{checked.groups[i] for i in side} for side in (carved.train, carved.val, carved.test)]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]
    assert split(checked, validation_share=0.15) == carved
    assert carve_validation(parts, checked, 0.15, split_seed=1).val != carved.val


def test_of_few_items_each_class_gives_one_where_the_hash_chooses_none():
    checked = made([{"name": f"{c}{k}", "label": c} for c in "ab" for k in range(4)] + [{"name": "x1", "label": "rare"}])  # fmt: skip
    for seed in range(30):
        whole = split(checked, test_share=0.0)
        parts = carve_validation(whole, checked, 0.15, split_seed=seed)
        assert parts.val and set(parts.train) | set(parts.val) == set(whole.train)
        assert {checked.dataset.examples[i].label for i in parts.train} == {"a", "b", "rare"}
    assert carve_validation(whole, checked, 0.0) == whole


def test_carving_leaves_every_class_something_to_learn_from():
    checked = made([*plain(60), {"name": "x1", "label": "rare"}, {"name": "x2", "label": "rare"}])
    for seed in range(30):
        parts = carve_validation(split(checked, split_seed=seed), checked, 0.6, split_seed=seed)
        assert {checked.dataset.examples[i].label for i in parts.train} == {"a", "b", "rare"}


@pytest.mark.parametrize(
    "wrong", [{"test_share": 1.0}, {"test_share": -0.1}, {"per_class_train": 0}]
)
def test_wrong_numbers(wrong):
    with pytest.raises(UsageError):
        split(made(plain(10)), **wrong)


def test_real_copies_stay_together_and_files_added_to_a_folder_move_nothing(tmp_path):
    root = photos(tmp_path, each=30)
    first = check(open_source(root), full=False)
    before = placed(first, split(first))
    for n in range(30):
        picture(n, (120, 90)).resize((90, 68)).save(root / "cat" / f"a copy of {n}.jpg", quality=60)
        save(root / "dog" / f"new {n}.png", 3000 + n)
    checked = check(open_source(root), full=False)
    after = placed(checked, split(checked))
    assert {name: after[name] for name in before} == before
    together = [after[f"cat/{n}.jpg"] == after[f"cat/a copy of {n}.jpg"] for n in range(30)]
    assert sum(together) >= 29


def test_a_modality_without_fingerprints_splits_too():
    modality = Modality("numbers", {}, lambda p: False, lambda i, f: Facts(), None, None, None)
    checked = made(plain(50), modality)
    assert len(set(checked.groups)) == 50 and split(checked).test
