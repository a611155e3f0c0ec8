"""The loop: the best epoch is kept, epoch 0 is in the race, and a resumed run is the run never killed."""

import math

import numpy as np
import pytest
import torch

from tutelage.errors import TrainingError
from tutelage.features.cache import ActivationCache
from tutelage.heads.linear import LinearHead
from tutelage.network.stages import Through
from tutelage.runtime import LocalRuntime
from tutelage.training.loop import Examples, HeadModule, Pupil, Schedule, tune
from tutelage.training.recipe import Recipe, recipe_for, views_for

RECIPE = Recipe("mid", 1, 6, 16, 1e-2, 0.0, 1.0, 0.15)


@pytest.fixture
def examples(tmp_path):
    """A problem that a linear head on the raw inputs cannot solve and a tuned layer can: rings."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(300, 4)).astype(np.float16)
    truth = (np.square(inputs.astype(float)).sum(1) > 3.5).astype(np.int64)
    keys = [(f"{i:064x}", 0) for i in range(300)]
    with ActivationCache(tmp_path).open("a" * 64, None, {}) as store:
        store.append(keys, {"x": inputs})
        yield (
            Examples(store.rows(keys[:200]), truth[:200]),
            Examples(store.rows(keys[200:]), truth[200:]),
        )


def pupil():
    torch.manual_seed(1)
    tail = Through(torch.nn.Linear(4, 32), torch.nn.ReLU(), torch.nn.Linear(32, 8))
    head = LinearHead("zeros", np.zeros((8, 2)), np.zeros(2), np.zeros(8), np.ones(8))
    return Pupil(tail, HeadModule(head))


def schedule(student, recipe=RECIPE, **more):
    groups = [{"params": list(student.parameters()), "share": 1.0, "lr": 0.0}]
    return Schedule(recipe, 0, np.ones(2), True, groups, **more)


def state(student):
    return {name: tensor.clone() for name, tensor in student.state_dict().items()}


def test_it_learns_and_ends_with_the_last_epoch(examples):
    student = pupil()
    records, states = [], []
    for record in tune(student, *examples, schedule(student), LocalRuntime()):
        records.append(record)
        states.append(state(student))
    losses = [record["validation_log_loss"] for record in records]
    assert [record["epoch"] for record in records] == list(range(RECIPE.epochs + 1))
    assert losses[-1] < 0.8 * losses[0]
    assert all(torch.equal(states[-1][name], t) for name, t in student.state_dict().items())


def test_a_deadline_ends_it_with_the_rate_at_nought(examples, monkeypatch):
    now = iter(np.arange(0, 1e6, 0.5))
    monkeypatch.setattr("tutelage.training.loop.time.monotonic", lambda: next(now))
    rates = []
    monkeypatch.setattr(
        torch.optim.AdamW,
        "step",
        lambda self, closure=None: rates.append(self.param_groups[0]["lr"]),
    )
    student = pupil()
    records = list(tune(student, *examples, schedule(student, deadline=20.0), LocalRuntime()))
    assert "time limit" in records[-1]["stopped"]
    assert rates[-1] < 0.2 * max(rates) and max(rates) <= RECIPE.learning_rate


@pytest.mark.parametrize(("share", "first"), [(math.inf, 4), (1e-9, 2)])
def test_a_resumed_run_is_the_run_never_killed(examples, tmp_path, monkeypatch, share, first):
    """From its last epoch if keeping may take all the time, from the first if it may take none."""
    monkeypatch.setattr("tutelage.training.checkpoint.SHARE", share)
    whole = pupil()
    list(tune(whole, *examples, schedule(whole), LocalRuntime()))
    file = tmp_path / "checkpoint.safetensors"
    killed = pupil()
    for record in tune(
        killed, *examples, schedule(killed, checkpoint=file, identity="run"), LocalRuntime()
    ):
        if record.get("epoch") == 3:
            break
    again = pupil()
    records = list(
        tune(again, *examples, schedule(again, checkpoint=file, identity="run"), LocalRuntime())
    )
    assert records[0]["epoch"] == first
    assert all(
        torch.equal(a, b)
        for a, b in zip(whole.state_dict().values(), again.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize(
    "harm", [lambda f: f.write_bytes(f.read_bytes()[:-50]), lambda f: f.write_bytes(b"")]
)
def test_a_damaged_checkpoint_costs_its_epochs_only(examples, tmp_path, harm):
    file = tmp_path / "checkpoint.safetensors"
    student = pupil()
    list(
        tune(student, *examples, schedule(student, checkpoint=file, identity="run"), LocalRuntime())
    )
    harm(file)
    records = list(
        tune(
            pupil_ := pupil(),
            *examples,
            schedule(pupil_, checkpoint=file, identity="run"),
            LocalRuntime(),
        )
    )
    assert records[0]["epoch"] == 0


def test_a_checkpoint_of_another_run_is_not_taken(examples, tmp_path):
    file = tmp_path / "checkpoint.safetensors"
    student = pupil()
    list(
        tune(student, *examples, schedule(student, checkpoint=file, identity="one"), LocalRuntime())
    )
    other = pupil()
    records = list(
        tune(other, *examples, schedule(other, checkpoint=file, identity="two"), LocalRuntime())
    )
    assert records[0]["epoch"] == 0


def test_a_loss_that_is_not_finite_is_one_clear_error(examples):
    student = pupil()
    with torch.no_grad():
        student.head.weight.fill_(float("inf"))
    with pytest.raises(TrainingError, match="finite"):
        list(tune(student, *examples, schedule(student), LocalRuntime()))


def test_the_head_module_is_the_linear_head():
    rng = np.random.default_rng(0)
    head = LinearHead(
        "x",
        rng.normal(size=(5, 3)),
        rng.normal(size=3),
        rng.normal(size=5),
        rng.uniform(0.5, 2, 5),
        True,
        0.5,
    )
    rows = rng.normal(size=(7, 5))
    found = HeadModule(head)(torch.tensor(rows, dtype=torch.float32)).detach().numpy()
    assert np.allclose(found, head.logits(rows) / 0.5, atol=1e-5)
    assert np.allclose(
        HeadModule(head).linear_head().probabilities(rows), head.probabilities(rows), atol=1e-6
    )


@pytest.mark.parametrize(
    ("n", "classes", "views"), [(500, 10, 1), (499, 10, 2), (110, 10, 2), (100, 10, 4), (2, 2, 4)]
)
def test_views_by_rule(n, classes, views):
    assert views_for(n, classes) == views


def test_recipes_by_rule():
    assert recipe_for("deep", 100, 2).epochs == 0
    assert recipe_for("mid", 500, 5).epochs == 12 and recipe_for("mid", 10_000, 5).epochs == 4
    assert recipe_for("full", 500, 5).stage_decay < 1 == recipe_for("mid", 500, 5).stage_decay


class Lengths:
    """Rows that differ in length; nothing else of them is asked."""

    def __init__(self, lengths):
        self._lengths = lengths

    def lengths(self):
        return self._lengths


def test_ragged_examples_of_like_length_share_a_batch():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 100, 1000)
    examples = Examples(Lengths(lengths), np.zeros(1000, np.int64))
    batches = examples.steps(rng.permutation(1000), 32)
    assert sorted(np.concatenate(batches).tolist()) == list(range(1000))
    padded = sum(len(b) * lengths[b].max() for b in batches)
    assert padded < 1.2 * lengths.sum()
    means = [lengths[b].mean() for b in batches]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.5, (
        "short ones do not all come first"
    )
    even = Examples(Lengths(None), np.zeros(10, np.int64))
    assert [b.tolist() for b in even.steps(np.arange(10), 4)] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
    ]


@pytest.mark.parametrize(("count", "sizes"), [(65, [32, 33]), (64, [32, 32]), (66, [32, 32, 2]), (1, [1]), (33, [33])])  # fmt: skip
def test_no_example_is_left_alone_in_a_batch(examples, count, sizes):
    """A batch norm that trains cannot see a single vector."""
    batches = examples[0].steps(np.arange(count), 32)
    assert [len(b) for b in batches] == sizes
    assert np.concatenate(batches).tolist() == list(range(count))
