"""Reading, checking and comparing texts; tokens as the tokenizers library makes them; tables of texts."""

import io
import json

import numpy as np
import pytest
from PIL import Image

import tutelage as tl
from text_kit import reviews, tiny_bert
from tutelage.data import modality_of, open_source, open_unlabelled
from tutelage.errors import DataError, TeacherError
from tutelage.files import digest_bytes
from tutelage.modality.images import IMAGES
from tutelage.modality.lengths import padded_length
from tutelage.modality.text import TEXTS, texts_of
from tutelage.modality.text_check import check, script
from tutelage.modality.text_near import confirm, fingerprint_of
from tutelage.modality.text_read import read
from tutelage.modality.text_tokens import Tokens, collate


@pytest.mark.parametrize(("raw", "text", "kinds"), [
    ("Grüße".encode(), "Grüße", []), (b"\xef\xbb\xbfGr\xc3\xbc\xc3\x9fe", "Grüße", []),
    ("Grüße".encode("utf-16"), "Grüße", []), ("Grüße“".encode("cp1252"), "Grüße“", ["encoding"]),
])  # fmt: skip
def test_encodings(tmp_path, raw, text, kinds):
    path = tmp_path / "a.txt"
    path.write_bytes(raw)
    assert read(path) == text
    assert [kind for kind, _ in check(path, True).defects] == kinds


@pytest.mark.parametrize("raw", [b"", b" \n\t", "\u200b\ufeff".encode(), b"\x89PNG\0\0"])
def test_what_is_no_text(tmp_path, raw):
    path = tmp_path / "a.txt"
    path.write_bytes(raw)
    with pytest.raises(DataError) as caught:
        read(path)
    assert caught.value.kind == "unreadable"
    assert [kind for kind, _ in check(path, True).defects] == ["unreadable"]
    with pytest.raises(DataError):
        read(tmp_path / "absent.txt")
    with pytest.raises(DataError):
        read(np.zeros(3))


@pytest.mark.parametrize(("text", "kind"), [
    ("<p>good</p>", "markup"), ("a &amp; b", "markup"), ("in\u200bvisible", "invisible"), ("lost \ufffd", "broken-characters"),
])  # fmt: skip
def test_defects_of_texts(text, kind):
    assert [k for k, _ in check(text, True).defects] == [kind]
    assert check("a < b and c > d, i <3 u", True).defects == ()


@pytest.mark.parametrize(("text", "name"), [("what a film", "latin"), ("какой фильм", "cyrillic"), ("何という映画", "cjk"), ("42 + 1", "none")])  # fmt: skip
def test_scripts(text, name):
    assert script(text) == name


LONG = "One morning when the sun was rising over the hills the old man took his boat and went far out to sea to catch a fish that nobody had seen before"  # fmt: skip


@pytest.mark.parametrize(("left", "right", "same"), [
    ("My top-up hasn't gone through", "my top up hasn't gone through!", True), ("Freeze my card", "Unfreeze my card", False),
    ("é a a", "e a a", True), (LONG, LONG.replace("old man", "young man"), True), (LONG, LONG[::-1], False),
    (LONG, " ".join(LONG.split()[:22]), False), (LONG, "Short.", False),
])  # fmt: skip
def test_near_copies(left, right, same):
    prints = [fingerprint_of(left)], [fingerprint_of(right)]
    assert confirm(*prints, [0]).tolist() == [same]


def tokens(tmp_path) -> Tokens:
    raw = (tiny_bert(tmp_path) / "tokenizer.json").read_bytes()
    return Tokens(lambda: raw, digest_bytes(raw))


def test_tokens_are_those_of_the_library(tmp_path):
    from transformers import PreTrainedTokenizerFast

    own, folder = tokens(tmp_path), tmp_path / "tiny"
    reference = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    for text in ("The sun, the RAIN!", "unknownword é", ""):
        assert own.ids(text, 64).tolist() == reference(text)["input_ids"]
    many = own.ids("storm " * 100, 16)
    assert len(many) == 16 and many[-1] == 3 and many[0] == 2, "the end mark is kept"
    assert own.count("storm " * 100) == 102


def test_a_row_depends_on_its_text_alone(tmp_path):
    modality, spec = texts_of(tokens(tmp_path), 64), TEXTS and _spec()
    rows = [modality.augment(t, spec, None) for t in ("sun", "storm " * 20)]
    assert [len(row) for row in rows] == [8, 24]
    batch = collate(rows)
    assert batch["x"].shape == (2, 24) and batch["mask"].sum(1).tolist() == [3, 22]
    assert batch["mask"].dtype == np.uint8 and not batch["x"][batch["mask"] == 0].any()


def _spec():
    from tutelage.modality import InputSpec

    return InputSpec(64, 64, "none", (), (), 1, "", 8, "tokens")


def test_lengths_rise_and_hold():
    padded = [padded_length(n) for n in range(1, 600)]
    assert padded == sorted(padded) and all(p >= n for n, p in enumerate(padded, 1))
    assert len(set(padded)) == 12


def test_another_tokenizer_is_refused(tmp_path):
    with pytest.raises(TeacherError) as caught:
        Tokens(lambda: b"{}", "0" * 64).count("a")
    assert caught.value.kind == "wrong-digest"
    with pytest.raises(TeacherError) as caught:
        Tokens(lambda: b"{}", digest_bytes(b"{}")).count("a")
    assert caught.value.kind == "bad-tokenizer"


# -- sources --------------------------------------------------------------------------------------------


def test_what_a_source_looks_like(tmp_path):
    assert modality_of(reviews(tmp_path / "r.csv", 4)) is TEXTS
    (tmp_path / "p.csv").write_text("path,label\na.png,x\nb.png,y\n")
    assert modality_of(tmp_path / "p.csv") is IMAGES
    (tmp_path / "d.csv").write_text("path,label\na.txt,x\nb.txt,y\n")
    assert modality_of(tmp_path / "d.csv") is TEXTS
    for name, file in (("pictures", "1.png"), ("documents", "1.txt")):
        (tmp_path / name / "a").mkdir(parents=True)
        (tmp_path / name / "a" / file).write_text("x")
    assert modality_of(tmp_path / "pictures") is IMAGES
    assert modality_of(tmp_path / "documents") is TEXTS
    assert modality_of(["what a film", "boring"]) is TEXTS
    assert modality_of(["a.png", "b.png"]) is IMAGES
    assert modality_of(np.zeros((2, 8, 8), np.uint8)) is IMAGES


@pytest.mark.parametrize(("lines", "first"), [
    (["good one\tpos", "bad one\tneg", 'a "quoted one\tpos', "dull\tneg", "fine\tpos"], ("good one", "pos")),
    (["ham\thello", "spam\twin now", "ham\tsee you", "spam\tcall us", "ham\tok"], ("hello", "ham")),
])  # fmt: skip
def test_a_table_without_a_header(tmp_path, lines, first):
    (tmp_path / "t.tsv").write_text("\n".join(lines) + "\n")
    data = open_source(tmp_path / "t.tsv")
    assert data.modality is TEXTS and len(data.examples) == 5
    assert (data.examples[0].item, data.examples[0].label) == first


def test_a_header_is_none_of_the_rows(tmp_path):
    (tmp_path / "t.tsv").write_text("review\tsentiment\n" + "".join(f"text {i}\t{i % 2}\n" for i in range(6)))  # fmt: skip
    data = open_source(tmp_path / "t.tsv")
    assert len(data.examples) == 6 and data.classes == ("0", "1")


def test_a_table_in_another_encoding_is_read_and_named(tmp_path):
    (tmp_path / "t.csv").write_bytes("text,label\nGrüße,a\nviel Spaß,b\n".encode("cp1252"))
    data = open_source(tmp_path / "t.csv")
    assert [e.item for e in data.examples] == ["Grüße", "viel Spaß"]
    assert [f.kind for f in data.findings] == ["encoding"]


def test_a_text_that_is_called_like_a_file_stays_a_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good").write_text("bytes of a file")
    checked = tl.check(["good", "bad", "good"], ["a", "b", "a"])
    assert checked.digests[0] == checked.digests[2] != digest_bytes(b"bytes of a file")


def test_everything_wrong_at_once(tmp_path):
    rows = [
        ("good", "a"),
        ("good", "b"),
        ("<b>bold</b> claim", "a"),
        ("   ", "a"),
        ("\u200b", "b"),
        ("какой фильм", "a"),
    ]
    rows += [(f"text number {i}", "ab"[i % 2]) for i in range(30)] + [("Text, number 1!", "b")]
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps({"text": t, "label": name}) + "\n" for t, name in rows))
    found = {f.kind: f for f in tl.check(path).findings}
    assert {"label-conflict", "markup", "unreadable", "odd-mode", "near-duplicate", "missing-file"} <= set(found)  # fmt: skip
    assert "1 of" in found["markup"].remedy and "script" in found["odd-mode"].remedy


def test_what_to_predict(tmp_path):
    reviews(tmp_path / "r.csv", 2)
    (tmp_path / "d.txt").write_text("a document")
    found = open_unlabelled(["what a film", tmp_path / "r.csv", tmp_path / "d.txt"], TEXTS)
    assert found[0].item == "what a film" and len(found) == 1 + 6 + 1
    assert found[-1].item == tmp_path / "d.txt"


# -- pictures --------------------------------------------------------------------------------------------


def picture(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_heat_colours_the_token_that_speaks(tmp_path):
    modality = texts_of(tokens(tmp_path), 64)
    heat = np.zeros((1, 8))
    cold = picture(modality.attribute("sun and rain", _spec(), heat))
    heat[0, 1] = 2.0
    hot = picture(modality.attribute("sun and rain", _spec(), heat))
    assert cold.shape == hot.shape and cold.min(2).max() == 255
    moved = np.argwhere((hot != cold).any(2))
    assert len(moved) and np.median(hot[hot[:, :, 1] < 100], axis=0)[0] > 100, "red where it is hot"
    assert moved[:, 1].max() - moved[:, 1].min() < 80, "one token alone"


@pytest.mark.parametrize(("text", "line"), [("short", "short"), ("a\n\n b\t", "a b"), ("какой фильм", "какой фильм")])  # fmt: skip
def test_a_text_on_one_line(text, line):
    assert TEXTS.excerpt(text) == line


def test_a_long_text_is_cut_at_a_word():
    line = TEXTS.excerpt("word " * 400)
    assert len(line) <= 240 and line.endswith("word …")


URL = "https://example.org/" + "path/" * 100


@pytest.mark.parametrize(("text", "line"), [
    ("何" * 240, "何" * 240), ("何" * 241, "何" * 238 + " …"), (URL, URL[:238] + " …"), ("see\n " + URL, "see " + URL[:234] + " …"),
    ("a" * 178 + " " + "b" * 99, "a" * 178 + " " + "b" * 59 + " …"), ("a" * 179 + " " + "b" * 99, "a" * 179 + " …"),
    ("a" * 238 + " \t" + "b" * 99, "a" * 238 + " …"), ("a" * 200 + " " + "b" * 37 + " c" * 9, "a" * 200 + " " + "b" * 37 + " …"),
    ("何\u3000" * 120 + " \n", ("何 " * 120).strip()),
])  # fmt: skip
def test_a_long_text_without_a_word_s_end_near_the_limit_is_cut_at_the_limit(text, line):
    assert TEXTS.excerpt(text) == line and len(line) <= 240
