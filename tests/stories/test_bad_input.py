"""Bad input: one clear message (what, where, what to type), no traceback, nothing lost."""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from kit import TUTELAGE, digits, run, told
from PIL import Image

from tutelage.files import canonical_json, read_arrays, read_json, write_arrays, write_bytes


def refused(*arguments, code=1, **environment):
    """The error object, and proof that it is one sentence each for people as well."""
    done = run(*arguments, "--json", check=False, **environment)
    assert done.returncode == code, done.stdout + done.stderr
    error = json.loads(done.stdout)["error"]
    assert set(error) == {"kind", "given", "expected", "next"} and all(error.values())
    return error


@pytest.fixture
def photos(tmp_path):
    return digits(tmp_path / "photos")


def test_an_empty_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "empty" in refused("fit", tmp_path / "empty", "--out", tmp_path / "out")["given"]


def test_nothing_there(tmp_path, photos):
    assert "photos" in refused("fit", tmp_path / "photo", "--out", tmp_path / "out", code=2)["next"]


def test_one_class(tmp_path):
    assert refused("fit", digits(tmp_path / "p", classes=1), "--out", tmp_path / "out")


def test_a_class_with_only_broken_files(photos, tmp_path):
    for file in (photos / "1").iterdir():
        file.write_bytes(file.read_bytes()[:40])
    assert "1" in refused("fit", photos, "--out", tmp_path / "out")["given"]


def test_one_image_in_a_class(photos, tmp_path):
    for file in sorted((photos / "1").iterdir())[1:]:
        file.unlink()
    found = told("fit", photos, "--mode", "deep", "--out", tmp_path / "out")
    assert any("tiny-class" in w for w in found["warnings"])


def test_nothing_to_judge_tuning_on(tmp_path):
    error = refused("fit", digits(tmp_path / "p", classes=2, each=1), "--mode", "mid", "--out", tmp_path / "out")  # fmt: skip
    assert error["kind"] == "nothing-to-judge" and "--mode deep" in error["next"]


def bomb(path):
    """A PNG header that promises 50,000 x 50,000 pixels."""
    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunks = [b"IHDR" + head, b"IDAT" + zlib.compress(bytes(1000)), b"IEND"]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks
        )
    )


def test_every_fault_at_once_and_the_fit_goes_on(photos, tmp_path):
    (photos / "0" / "zero bytes.png").write_bytes(b"")
    whole = next((photos / "1").iterdir()).read_bytes()
    (photos / "1" / "truncated.png").write_bytes(whole[: len(whole) // 2])
    bomb(photos / "2" / "bomb [x].png")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8), dtype=np.uint8)).save(
        photos / "2" / "real.png"
    )
    (photos / "2" / "real.png").rename(photos / "2" / "été 🦜 (1).jpg")
    (photos / "2" / ".hidden").write_text("x")
    (photos / "2" / "notes.txt").write_text("x")
    shutil.copy(sorted((photos / "0").glob("0*.png"))[0], photos / "1" / "same picture.png")
    before = {p: p.read_bytes() for p in photos.rglob("*") if p.is_file()}
    found = told("fit", photos, "--mode", "deep", "--out", tmp_path / "out")
    assert found["test"]["accuracy"] > 0.8
    assert {p: p.read_bytes() for p in photos.rglob("*") if p.is_file()} == before, (
        "a user's file was changed"
    )
    table = (tmp_path / "out" / "fit" / "photos" / "findings.csv").read_text()
    assert all(
        f"\n{kind}," in table
        for kind in ("unreadable", "bomb", "label-conflict", "wrong-suffix", "ignored-file")
    )
    assert all(
        word in table
        for word in (
            "zero bytes.png",
            "truncated.png",
            "bomb [x].png",
            "été 🦜 (1).jpg",
            "same picture.png",
        )
    )


def test_a_broken_body_behind_a_sound_header_becomes_a_finding(tmp_path):
    """The quick check reads headers; what breaks during extraction is named, and no other item moves."""
    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / "p" / label).mkdir(parents=True)
        for index in range(20):
            base = 60 if label == "a" else 180
            pixels = np.clip(rng.normal(base, 30, (120, 160, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "p" / label / f"{index}.jpg", quality=95)
    victim = tmp_path / "p" / "a" / "3.jpg"
    victim.write_bytes(victim.read_bytes()[:-1500])
    found = told("fit", tmp_path / "p", "--mode", "deep", "--out", tmp_path / "out")
    assert any("unreadable" in w and "3.jpg" in w for w in found["warnings"])


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ("image,label\nmissing.png,a\nalso.png,b\n", None),
        ("photo,kind\nx.png,a\n", "column"),
        ("image,label\n", None),
    ],
)
def test_tables_that_cannot_serve(tmp_path, rows, kind):
    (tmp_path / "t.csv").write_text(rows)
    error = refused("fit", tmp_path / "t.csv", "--out", tmp_path / "out")
    assert kind is None or kind in error["given"] + error["expected"] + error["kind"]


def test_contradictions_and_typing_errors(photos, tmp_path):
    assert (
        "--freeze all"
        in refused("fit", photos, "--freeze", "all", "--mode", "full", code=2)["next"]
    )
    assert "blocks.3" in refused("fit", photos, "--freeze", "block.3", code=2)["next"]
    assert (
        "efficientnet_lite0"
        in refused("fit", photos, "--teacher", "efficientnet_lite", code=2)["next"]
    )
    assert refused("fit", photos, "--device", "cuda:7", code=2)["kind"] == "no-such-device"
    assert refused("fit", code=2)["kind"] == "no-source"
    assert "Did you mean: tutelage fit" in run("fti", check=False).stderr
    assert run("fit", photos, "--time-limit", "soon", check=False).returncode == 2


def tiny_disk(tmp_path, options):
    mount = tmp_path / "mount"
    mount.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(mount)], capture_output=True
    ).returncode:
        pytest.skip("mounting a tiny file system needs root")
    return mount


@pytest.mark.parametrize(
    ("where", "options"), [("out", "size=300k"), ("out", "ro,size=4k"), ("cache", "size=300k")]
)
def test_a_full_or_read_only_disk(photos, tmp_path, where, options):
    mount = tiny_disk(tmp_path, options)
    try:
        out = mount if where == "out" else tmp_path / "out"
        cache = {"TUTELAGE_CACHE": str(mount)} if where == "cache" else {}
        error = refused("fit", photos, "--mode", "deep", "--out", out, **cache)
        assert str(mount) in error["given"]
        assert not list(out.rglob("student.json")), "a half-written student"
    finally:
        subprocess.run(["umount", str(mount)], check=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    return told("fit", digits(folder / "photos"), "--mode", "deep", "--out", folder)


def damaged_copy(finished, tmp_path, damage):
    folder = tmp_path / "student"
    shutil.copytree(finished["student"], folder)
    damage(folder)
    return folder


def newer(folder):
    facts = read_json(folder / "student.json")
    write_bytes(folder / "student.json", canonical_json({**facts, "format": 99}))


def with_nan(folder):
    arrays = read_arrays(folder / "student.safetensors")
    name = next(n for n in arrays if n.endswith("weight"))
    arrays[name] = np.full_like(arrays[name], np.nan)
    write_arrays(folder / "student.safetensors", arrays)
    facts = read_json(folder / "student.json")
    from tutelage.files import digest_file

    facts["files"]["student.safetensors"] = digest_file(folder / "student.safetensors")
    write_bytes(folder / "student.json", canonical_json(facts))


def truncated(folder):
    path = folder / "student.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


@pytest.mark.parametrize(
    ("damage", "kind"),
    [(newer, "newer-student"), (with_nan, "damaged-file"), (truncated, "damaged-file"),
     (lambda f: (f / "golden.safetensors").unlink(), "damaged-file"), (lambda f: (f / "student.json").write_text("{}"), "not-a-student"),
     (lambda f: (f / "student.json").unlink(), "no-student")],
)  # fmt: skip
def test_damaged_students(finished, tmp_path, damage, kind):
    folder = damaged_copy(finished, tmp_path, damage)
    assert refused("predict", folder, next(iter(folder.iterdir())), code=1)["kind"] == kind


def test_nothing_in_a_student_is_pickled(finished):
    from pathlib import Path

    for path in Path(finished["run"]).rglob("*"):
        if path.is_file():
            head = path.read_bytes()[:9]
            if path.suffix == ".safetensors":  # the length of the header, and JSON
                assert int.from_bytes(head[:8], "little") < path.stat().st_size and head[8:] == b"{"
            else:
                assert head[:1] != b"\x80" and head[:2] != b"PK", path


def test_a_corrupt_cache_costs_a_recomputation_only(photos, tmp_path):
    cache = {"TUTELAGE_CACHE": str(tmp_path / "cache")}
    first = told("fit", photos, "--mode", "deep", "--out", tmp_path / "out", **cache)
    shards = list((tmp_path / "cache" / "activations").rglob("*.safetensors"))
    assert shards
    for shard in shards:
        content = bytearray(shard.read_bytes())
        content[-10] ^= 1
        shard.write_bytes(bytes(content))
    (tmp_path / "cache" / "machine.json").write_text("{half")
    again = told("fit", photos, "--mode", "deep", "--out", tmp_path / "out", **cache)
    assert again["counters"]["decoded"] > 0
    assert again["test"] == first["test"]


def test_two_fits_at_once(photos, tmp_path):
    command = [
        str(TUTELAGE),
        "fit",
        str(photos),
        "--mode",
        "deep",
        "--out",
        str(tmp_path / "out"),
        "--json",
    ]
    environment = {**os.environ, "TUTELAGE_CACHE": str(tmp_path / "cache")}
    both = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(2)
    ]
    results = [json.loads(process.communicate(timeout=300)[0]) for process in both]
    assert results[0]["run"] != results[1]["run"]
    assert results[0]["digest"] == results[1]["digest"]


def kill_when(command, seen, environment):
    """Start, wait until ``seen()``, kill -9."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    deadline = time.monotonic() + 120
    while process.poll() is None and not seen() and time.monotonic() < deadline:
        time.sleep(0.01)
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return alive


@pytest.fixture(scope="module")
def ten(tmp_path_factory):
    """Digits, and the student of a fit never killed; from scratch, so that what was trained ships whatever it is."""
    folder = tmp_path_factory.mktemp("ten")
    photos = digits(folder / "photos", classes=2, each=6)
    whole = told(
        "fit", photos, "--mode", "scratch", "--out", folder, TUTELAGE_CACHE=str(folder / "cache")
    )
    assert whole["mode"] == "scratch"
    return photos, whole, folder / "cache"


@pytest.mark.parametrize("phase", ["args.json", "shard", "epoch 3"])
def test_killed_in_any_phase_and_resumed_as_if_never_killed(ten, tmp_path, phase):
    photos, whole, known = ten
    options = ["--mode", "scratch"]
    shutil.copytree(
        known, tmp_path / "cache2", ignore=shutil.ignore_patterns("activations")
    )  # same engine, nothing extracted yet
    cache = {**os.environ, "TUTELAGE_CACHE": str(tmp_path / "cache2")}
    folder = tmp_path / "out" / "fit" / "photos"
    log = folder / "log.jsonl"

    def seen():
        if phase == "args.json":
            return (folder / "args.json").exists()
        if phase == "shard":
            return any((tmp_path / "cache2").glob("activations/*/*.safetensors"))
        return log.exists() and f'"epoch": {phase[-1]},' in log.read_text()

    assert kill_when(
        [str(TUTELAGE), "fit", str(photos), *options, "--out", str(tmp_path / "out")], seen, cache
    )
    error = refused("predict", folder, photos)
    assert error["kind"] == "no-student" and "--resume" in error["next"]
    resumed = told("fit", "--resume", folder, TUTELAGE_CACHE=str(tmp_path / "cache2"))
    assert resumed["run"] == str(folder)
    assert resumed["digest"] == whole["digest"]
    assert run("fit", "--resume", folder, check=False).returncode == 2, (
        "a finished run is not resumed"
    )


def _heard():
    """An interrupt is heard, even where a shell in the background started the tests deaf to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupt_leaves_a_resumable_run(ten, tmp_path):
    photos, whole, _ = ten
    folder = tmp_path / "out" / "fit" / "photos"
    process = subprocess.Popen([str(TUTELAGE), "fit", str(photos), "--freeze", "blocks.4", "--out", str(tmp_path / "out")], stderr=subprocess.PIPE, text=True, preexec_fn=_heard)  # fmt: skip
    while (
        not (folder / "log.jsonl").exists()
        or '"epoch": 1,' not in (folder / "log.jsonl").read_text()
    ):
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 1, message
    assert "Traceback" not in message and "kept" in message
    assert f"tutelage fit --resume {folder}" in message
    assert told("fit", "--resume", folder)["test"]["n"] == whole["test"]["n"]


def test_a_run_works_in_its_folder_alone(photos, tmp_path):
    from tutelage.files import lock

    first = told("fit", photos, "--mode", "deep", "--out", tmp_path / "out")
    (tmp_path / "out" / "fit" / "photos" / "student" / "student.json").unlink()
    with lock(tmp_path / "out" / "fit" / "photos" / ".lock"):
        assert refused("fit", "--resume", first["run"])["kind"] == "run-busy"


def test_help_is_quick_and_imports_no_torch():
    best = min(_timed_help() for _ in range(5))
    assert best < 0.5
    code = "import sys; from tutelage.cli import cli; import click; cli.main(['--help'], standalone_mode=False); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def _timed_help():
    start = time.perf_counter()
    subprocess.run([TUTELAGE, "--help"], capture_output=True, check=True)
    return time.perf_counter() - start


@pytest.mark.parametrize("verb", ["check", "teachers", "fit", "predict", "evaluate", "doctor"])
def test_every_verb_has_the_common_options_and_few_of_its_own(verb):
    import click

    from tutelage.cli import cli

    options = [p.name for p in cli.commands[verb].params if isinstance(p, click.Option)]
    assert {"as_json", "out", "seed", "offline"} <= set(options)
    assert len(options) - 4 <= (23 if verb == "fit" else 12)
    assert run(verb, "--help").stdout.startswith("Usage: tutelage")
