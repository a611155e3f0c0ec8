"""Similarity on real pictures: cartoons and insects are nearer to ImageNet than ultrasound and handwriting."""

import gzip
from contextlib import contextmanager

import numpy as np
from PIL import Image

from shared import SHARED, needs_shared
from tutelage.advisor.similarity import similarity
from tutelage.data import check, open_source, split
from tutelage.features.activations import Activations
from tutelage.features.engine import EngineSpec
from tutelage.run import Run
from tutelage.training.lesson import Lesson, input_spec

pytestmark = needs_shared

NEAR, FAR = ("pacs_cartoon", "hymenoptera"), ("busi", "mnist")
DRAWS, EACH = 2, 80


def pool(name, folder):
    """(path, label) of every picture of a data set."""
    root = SHARED / "data" / name
    if name != "mnist":
        return [(p, p.parent.name) for p in sorted(root.rglob("*")) if p.suffix in (".jpg", ".png")]
    raw = gzip.decompress((root / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((root / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    pixels = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28)[:600]
    found = []
    for number, image in enumerate(pixels):
        found.append((folder / f"{number}.png", str(labels[number])))
        Image.fromarray(image).save(found[-1][0])
    return found


@contextmanager
def lesson(teacher, rows, folder):
    """A lesson of those pictures, all of them to train on."""
    table = folder / "table.csv"
    table.write_text("path,label\n" + "".join(f'"{path}",{label}\n' for path, label in rows))
    checked = check(open_source(str(table)), full=False)
    parts = split(checked, test_share=0.0)
    spec = input_spec(teacher, checked, parts.train)
    items = [example.item for example in checked.dataset.examples]
    engine = EngineSpec("openvino", "f32", "cpu", "")
    with Activations(teacher, spec, engine, items, checked.digests) as activations:
        yield Lesson(checked, parts, teacher, activations, 1, Run(folder))


def drawn(teacher, name, folder):
    """The similarity of some draws of a data set."""
    whole, found = pool(name, folder), []
    for draw in range(DRAWS):
        rows = np.random.default_rng(draw).permutation(len(whole))[:EACH]
        with lesson(teacher, [whole[i] for i in rows], folder) as made:
            found.append(similarity(made))
    return found


def test_cartoons_and_insects_are_nearer_than_ultrasound_and_handwriting(lite0, tmp_path):
    found = {name: drawn(lite0, name, tmp_path) for name in (*NEAR, *FAR)}
    assert {one.gauge for some in found.values() for one in some} == {"batch-norm shift"}
    nearest = max(one.value for name in FAR for one in found[name])
    farthest = min(one.value for name in NEAR for one in found[name])
    assert nearest < farthest
    assert all(one.farther_than == 0.99 for name in FAR for one in found[name])


def test_the_teachers_own_pictures_are_like_its_own(lite0, tmp_path):
    for one in drawn(lite0, "imagenet_sample500", tmp_path):
        assert one.value > 0.9 and one.farther_than < 0.99
