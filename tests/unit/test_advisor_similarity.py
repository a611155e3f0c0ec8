"""How near data is: every measure against a reference written elsewhere, every gauge in its turn."""

import copy
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.metrics.pairwise import cosine_distances
from torch import nn

from tutelage.advisor import similarity as room
from tutelage.advisor import source_cards
from tutelage.advisor.bn_shift import bn_shift, divergence, watched
from tutelage.advisor.energy import energy, max_probability, summary
from tutelage.advisor.gradient_ratio import gradient_ratio
from tutelage.advisor.look import Seen
from tutelage.advisor.prototypes import class_prototypes, prototype_distance, standing_out
from tutelage.advisor.sample import prepared, sample
from tutelage.advisor.similarity import Similarity, measured, similarity
from tutelage.advisor.source_cards import LEVELS, Reference, SourceCard, Spread, source_card
from tutelage.data import check, open_source, split
from tutelage.errors import TrainingError
from tutelage.features.activations import Activations
from tutelage.features.engine import EngineSpec
from tutelage.heads.linear import LinearHead
from tutelage.modality import InputSpec
from tutelage.network.stages import Network, Stage, Through, hold
from tutelage.run import Run
from tutelage.teachers import teacher_from_module
from tutelage.training.lesson import Lesson


def net(*, norm=True, dropout=True, labels=120):
    """Two convolutions, pooling, a linear classifier; batch norms that hold odd statistics."""
    torch.manual_seed(3)
    middle = nn.BatchNorm2d(6) if norm else nn.Identity()
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4) if norm else nn.Identity(), nn.ReLU(), nn.Conv2d(4, 6, 3), middle, nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.9) if dropout else nn.Identity(), nn.Linear(6, labels),
    )  # fmt: skip
    for layer in model:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean, 0.1, 0.5)
            nn.init.uniform_(layer.running_var, 0.01, 2)
            nn.init.uniform_(layer.weight, 0.5, 1.5)
    return model.eval()


def network(model):
    stages = (
        Stage("first", Through(*model[:3])), Stage("second", Through(*model[3:6])),
        Stage("pool", Through(*model[6:8])),
    )  # fmt: skip
    return Network(model, stages, model[8:])


def batches(count=3, size=5, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return [{"x": torch.randn(size, 3, 11, 9, generator=rng)} for _ in range(count)]


# Batch-norm shift


@pytest.mark.parametrize("eps", [1e-5, 1e-3, 0.5])
def test_divergence_is_torchs_of_two_normal_distributions(eps):
    rng = np.random.default_rng(0)
    away, variance, held = rng.normal(size=30), rng.uniform(0.01, 3, 30), rng.uniform(0.01, 3, 30)
    normal = torch.distributions.Normal
    data = normal(torch.tensor(away), torch.tensor(variance + eps).sqrt())
    own = normal(torch.zeros(30, dtype=torch.float64), torch.tensor(held + eps).sqrt())
    expected = torch.distributions.kl_divergence(data, own).mean()
    assert divergence(away, variance, held, eps) == pytest.approx(float(expected), rel=1e-12)


def shift_by_loops(values, layer):
    """The formula, channel by channel, from all values (N, C, H, W) that a layer is given."""
    total, eps = 0.0, layer.eps
    for c in range(values.shape[1]):
        x = values[:, c].astype(np.float64).ravel()
        held, spread = float(layer.running_mean[c]), float(layer.running_var[c]) + eps
        mean = sum(x) / len(x)
        own = sum((v - mean) ** 2 for v in x) / len(x) + eps
        total += 0.5 * ((mean - held) ** 2 / spread + own / spread - 1 - math.log(own / spread))
    return total / values.shape[1]


def test_shift_is_the_formula_over_everything_that_a_layer_is_given():
    model, many = net(), batches()
    x = torch.cat([b["x"] for b in many])
    with torch.no_grad():
        given = {"1": model[0](x), "4": model[:4](x)}
    found = bn_shift(network(model), many)
    assert list(found) == ["1", "4"]
    for name, value in given.items():
        expected = shift_by_loops(value.numpy(), model[int(name)])
        assert found[name] == pytest.approx(expected, rel=1e-5)


def test_shift_does_not_depend_on_batches_or_layout():
    model = net()
    whole = {"x": torch.cat([b["x"] for b in batches()])}
    last = {"x": whole["x"].contiguous(memory_format=torch.channels_last)}
    found = bn_shift(network(model), batches())
    for other in (bn_shift(network(model), [whole]), bn_shift(network(model), [last])):
        assert other == pytest.approx(found, rel=1e-5)


def test_a_layer_that_holds_the_datas_own_statistics_is_not_shifted():
    model, whole = net(), {"x": torch.cat([b["x"] for b in batches()])}
    for at in (1, 4):
        with torch.no_grad():
            given = model[:at](whole["x"])
        model[at].running_mean.copy_(given.mean((0, 2, 3)))
        model[at].running_var.copy_(given.var((0, 2, 3), correction=0))
    assert list(bn_shift(network(model), [whole]).values()) == pytest.approx([0, 0], abs=1e-9)


def test_silent_channels_and_far_means_are_finite_and_exact():
    model = net()
    model[1].running_var.zero_()
    model[1].running_mean.fill_(1000.0)
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].bias.fill_(1000.0)
    assert bn_shift(network(model), batches())["1"] == pytest.approx(0, abs=1e-9)


def test_watching_leaves_no_hook_and_changes_nothing():
    model = net()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    bn_shift(network(model), batches())
    with pytest.raises(ZeroDivisionError), watched(model):
        raise ZeroDivisionError
    assert not any(part._forward_pre_hooks for part in model.modules())
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


def test_without_batch_norm_there_is_no_shift():
    assert bn_shift(network(net(norm=False)), batches()) is None


# Energy


def test_energy_and_largest_probability_are_scipys_and_torchs():
    logits = np.random.default_rng(0).normal(scale=20, size=(40, 7))
    assert energy(logits) == pytest.approx(logsumexp(logits, axis=1), rel=1e-12)
    expected = torch.tensor(logits).softmax(1).max(1).values.numpy()
    assert max_probability(logits) == pytest.approx(expected, rel=1e-12)
    assert energy(logits + 1000) == pytest.approx(energy(logits) + 1000, rel=1e-12)
    assert max_probability(logits + 1000) == pytest.approx(expected, rel=1e-9)


def test_summary_is_mean_and_deviation():
    assert summary([1.0, 3.0, 5.0]) == pytest.approx({"mean": 3.0, "sd": math.sqrt(8 / 3)})


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_logits_that_are_not_finite_are_refused(broken):
    for measure in (energy, max_probability):
        with pytest.raises(TrainingError) as caught:
            measure([[0.0, broken]])
        assert caught.value.kind == "broken-logits"


# Prototypes


def test_distance_is_scikit_learns_to_the_nearest():
    rng = np.random.default_rng(0)
    features, rows = rng.normal(size=(20, 9)), rng.normal(size=(13, 9))
    nearest = cosine_distances(features, rows).min(1)
    assert prototype_distance(features, rows) == pytest.approx(nearest, abs=1e-12)
    assert prototype_distance(7 * features, 0.1 * rows) == pytest.approx(nearest, abs=1e-12)
    assert prototype_distance(np.zeros((1, 9)), rows) == pytest.approx([1.0])


def test_standing_out_is_the_z_score_of_the_nearest():
    rng = np.random.default_rng(1)
    features, rows = rng.normal(size=(6, 50)), rng.normal(size=(1000, 50))
    near = 1 - cdist(features, rows, "cosine")
    expected = [(row.max() - row.mean()) / row.std() for row in near]
    assert standing_out(features, rows) == pytest.approx(expected, rel=1e-9)
    assert standing_out(rows[:3], rows).min() > 5 > standing_out(features, rows).max()


def test_prototypes_are_the_rows_of_a_linear_classifier():
    model = net()
    assert np.array_equal(class_prototypes(network(model)), model[9].weight.detach().numpy())


@pytest.mark.parametrize(
    "classifier",
    [
        None,
        nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 3)),
        nn.Sequential(nn.ReLU(), nn.LayerNorm(6), nn.Linear(6, 3)),
        nn.Sequential(nn.Linear(6, 3), nn.Softmax(1)),
        nn.Sequential(nn.Conv2d(6, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Sequential(nn.Unflatten(1, (6, 1, 1, 7)), nn.Linear(6, 3)),
    ],
)
def test_other_classifiers_have_no_prototypes(classifier):
    plain = network(net())
    changed = Network(plain.model, plain.stages, classifier and classifier.eval())
    assert class_prototypes(changed) is None


def test_a_classifier_that_reads_a_map_has_no_prototypes():
    plain = network(net())
    assert class_prototypes(Network(plain.model, plain.stages, plain.classifier, (), 2)) is None


# Gradient-to-weight ratio


def head_on(width, classes=3, seed=4):
    rng = np.random.default_rng(seed)
    return LinearHead(
        "x", rng.normal(size=(width, classes)), rng.normal(size=classes), rng.normal(size=width),
        rng.uniform(0.5, 2, width), False, 0.7,
    )  # fmt: skip


def judged(many, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return [(b, rng.integers(0, classes, len(b["x"]))) for b in many]


def test_ratio_of_one_linear_layer_is_that_of_the_textbook():
    torch.manual_seed(0)
    layer = nn.Linear(5, 4)
    simple = Network(layer, (Stage("only", Through(layer)),))
    rng = np.random.default_rng(2)
    x, truth, head = rng.normal(size=(7, 5)), rng.integers(0, 3, 7), head_on(4)
    weight, bias = layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()
    z = (x @ weight.T + bias - head.shift) * head.scale
    scores = (z @ head.weight + head.bias) / head.temperature
    p = np.exp(scores - logsumexp(scores, axis=1, keepdims=True)) - np.eye(3)[truth]
    back = p @ head.weight.T * head.scale / head.temperature / len(x)
    gradient = np.concatenate([(back.T @ x).ravel(), back.sum(0)])
    expected = np.linalg.norm(gradient) / np.linalg.norm(np.concatenate([weight.ravel(), bias]))
    activation = {"x": torch.tensor(x, dtype=torch.float32)}
    assert gradient_ratio(simple, [(activation, truth)], head)["only"] == pytest.approx(expected, rel=1e-5)  # fmt: skip


def ratio_by_backward(model, activation, truth, head):
    """With ``backward`` on a copy, stage by stage."""
    model = copy.deepcopy(model).double()
    x = model[:8](activation["x"].double())
    z = (x - torch.tensor(head.shift)) * torch.tensor(head.scale)
    scores = (z @ torch.tensor(head.weight) + torch.tensor(head.bias)) / head.temperature
    nn.functional.cross_entropy(scores, torch.tensor(truth)).backward()
    found = []
    for part in (model[:3], model[3:6]):
        own = list(part.parameters())
        gradient = torch.cat([p.grad.ravel() for p in own]).norm()
        found.append(float(gradient / torch.cat([p.detach().ravel() for p in own]).norm()))
    return found


def test_ratio_is_the_mean_over_mini_batches_of_backward_on_a_copy():
    model, head, many = net(), head_on(6), judged(batches())
    expected = np.mean([ratio_by_backward(model, b, y, head) for b, y in many], axis=0)
    found = gradient_ratio(network(model), many, head)
    assert list(found) == ["first", "second"]
    assert list(found.values()) == pytest.approx(expected.tolist(), rel=1e-4)


def test_ratio_takes_a_head_that_reads_stages_beside_the_last():
    model, many = net(), judged(batches())
    wide = head_on(10)
    silent = LinearHead("x", np.vstack([np.zeros((4, 3)), wide.weight[4:]]), wide.bias, wide.shift, wide.scale)  # fmt: skip
    narrow = LinearHead("x", wide.weight[4:], wide.bias, wide.shift[4:], wide.scale[4:])
    expected = gradient_ratio(network(model), many, narrow)
    assert gradient_ratio(network(model), many, silent, (1,)) == pytest.approx(expected, rel=1e-5)
    assert gradient_ratio(network(model), many, wide, (1,)) != pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("frozen", [True, False])
def test_ratio_leaves_the_network_as_it_was(frozen):
    model = net()
    if frozen:
        hold(model)
    else:
        model.train()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    gradient_ratio(network(model), judged(batches()), head_on(6))
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad is not frozen for p in model.parameters())
    assert all(part.training is not frozen for part in model.modules())
    assert gradient_ratio(network(model), [], head_on(6)) == {}


# Source cards


def test_every_source_card_is_whole():
    known = source_cards._entries()
    assert tuple(known["levels"]) == LEVELS
    assert len(known["cards"]) >= 4
    for digest, entry in known["cards"].items():
        assert len(digest) == 64 and entry["origin"] and entry["domain"] and entry["images"] >= 500
        for size in entry["sizes"].values():
            draws = [Spread(**size["draws"][n]["sureness"]) for n in ("8", "16", "32", "64")]
            assert [d.sd for d in draws] == sorted((d.sd for d in draws), reverse=True)
            assert all(abs(d.mean) < 0.1 for d in draws)
            shifts = [size["draws"][n].get("shift") for n in ("8", "16", "32", "64")]
            if any(shifts):
                means = [s["mean"] for s in shifts]
                assert means == sorted(means, reverse=True)  # the fewer images, the larger
                layers = size["draws"]["64"]["layers"]
                assert means[-1] == pytest.approx(np.mean(list(layers.values())), rel=1e-2)
            for spread in [*draws, *(Spread(**s) for s in shifts if s)]:
                assert list(spread.quantiles) == sorted(spread.quantiles)
                assert spread.quantiles[0] < spread.mean < spread.quantiles[-1]


def test_the_card_of_the_nearest_size_prepared_in_the_same_way(lite0):
    card, spec = lite0.card, lite0.card.spec
    for size, nearest in ((224, 224), (300, 224), (200, 224), (140, 128), (150, 160), (32, 64)):
        assert source_card(card, InputSpec(**{**vars(spec), "size": size})).size == nearest
    for other in ({"padding": ""}, {"channels": 1}, {"mean": (0.4,) * 3}):
        assert source_card(card, InputSpec(**{**vars(spec), **other})) is None
    unknown = SimpleNamespace(digest="0" * 64)
    assert source_card(unknown, spec) is None


def spread_of(mean, sd=0.1):
    return Spread(mean, sd, tuple(mean + sd * (level - 0.5) for level in LEVELS))


def card_of(shifts, domain="photos"):
    draws = {
        n: Reference(spread_of(s) if s is not None else None, {"1": s or 0.0, "4": s or 0.0}, spread_of(0.0, 4 / n))
        for n, s in shifts.items()
    }  # fmt: skip
    return SourceCard(domain, 224, (10.0, 2.0), (0.7, 0.2), draws)


def test_between_two_counts_a_card_is_linear_in_one_over_n():
    card = card_of({8: 0.02 + 0.4 / 8, 16: 0.02 + 0.4 / 16, 64: 0.02 + 0.4 / 64})
    for n in (8, 9, 13, 16, 20, 40, 64):
        found = card.of(n)
        assert found.shift.mean == pytest.approx(0.02 + 0.4 / n, abs=1e-12)
        assert found.layers["4"] == pytest.approx(0.02 + 0.4 / n, abs=1e-12)
        assert found.sureness.sd == pytest.approx(4 / n, abs=1e-12)
    assert card.of(3) == card.of(8)
    assert card.of(100) == card.of(64)


def test_share_below_reads_the_quantiles_and_claims_nothing_beyond_them():
    spread = Spread(0.0, 1.0, tuple(10 * level for level in LEVELS))
    assert [spread.share_below(v) for v in (-5, 2.5, 5.0, 6.25, 99)] == pytest.approx([0.01, 0.25, 0.5, 0.625, 0.99])  # fmt: skip


def test_z_scores_are_in_deviations_of_single_images():
    card = card_of({8: None})
    assert card.z_scores(8.0, 0.8) == pytest.approx((-1.0, 0.5))
    assert card.sureness(8.0, 0.8) == pytest.approx(-0.25)


# Gauges


def seen(**what):
    return Seen(**{"items": 64, "shifts": {"1": 0.1, "4": 0.3}, "energy": 8.0, "max_probability": 0.5, "classes": 1000, "distance": 0.8, "standing_out": 6.0, **what})  # fmt: skip


def test_the_first_gauge_that_can_be_read_is_taken():
    card, silent = card_of({8: 0.1, 64: 0.05}), card_of({8: None, 64: None})
    cases = [
        (seen(), card, None, "batch-norm shift", 1 / (1 + 0.15 / 0.1), 0.99),
        (seen(items=7), card, None, "energy", 1 / (1 + 1.0), 0.99),
        (seen(shifts={}), silent, 0.02, "energy", 1 / (1 + 1.0), 0.99),
        (seen(), None, 0.02, "batch-norm shift", 1 / (1 + 0.18 / 0.1), None),
        (seen(items=7), None, 0.02, "prototypes", None, None),
        (seen(), None, None, "prototypes", None, None),
        (seen(shifts={}, energy=None, max_probability=None), silent, None, "none", None, None),
    ]
    chance = math.sqrt(2 * math.log(1000))
    for what, one, usual, gauge, value, farther in cases:
        found = measured(what, one, usual)
        assert (found.gauge, found.farther_than) == (gauge, farther and pytest.approx(farther))
        expected = (6 - chance) / (8 - chance) if gauge == "prototypes" else value
        assert found.value == (None if expected is None else pytest.approx(expected, rel=1e-12))
        assert found.value is None or f"similarity {found.value:.2f}" in found.because


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({"energy": None}, "no classes of its own"),
        ({"standing_out": None, "classes": 0}, "not linear on its features"),
        ({"classes": 10}, "10 classes are too few"),
    ],
)
def test_no_gauge_is_a_reason(what, why):
    found = measured(seen(shifts={}, **what), None)
    assert (found.value, found.gauge, found.farther_than) == (None, "none", None)
    assert why in found.because and "no source card" in found.because
    few = measured(seen(items=5, **what), None, 0.02)
    assert "5 items are too few" in few.because


def test_values_fall_as_the_measure_grows_and_stay_within_bounds():
    card = card_of({8: 0.1, 64: 0.05})
    far = [measured(seen(shifts={"1": s}), card).value for s in (0, 0.05, 0.1, 0.2, 1, 1e6)]
    sure = [measured(seen(items=7, energy=e), card).value for e in (99, 11, 10, 8, 0, -1e6)]
    near = [measured(seen(standing_out=s), None).value for s in (99, 8, 7, 5, 3, 0)]
    for values in (far, sure, near):
        assert values == sorted(values, reverse=True)
        assert values[0] == 1 and 0 <= values[-1] < 0.01


# The whole, on a small teacher


def pictures(count=90, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = [f"class {i % classes}" for i in range(count)]
    return rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8), labels


@pytest.fixture
def lesson_of(own_cache, tmp_path):
    """(module, images, labels) -> a lesson; closed at the end of the test."""
    opened = []

    def make(module, images, labels, seed=0):
        spec = InputSpec(32, 32, "bilinear", (0.5,) * 3, (0.5,) * 3)
        teacher = teacher_from_module(module, spec)
        checked = check(open_source(images, labels=labels), full=False)
        items = [example.item for example in checked.dataset.examples]
        engine = EngineSpec("torch", "f32", "cpu", "")
        activations = Activations(teacher, spec, engine, items, checked.digests)
        opened.append(activations)
        return Lesson(checked, split(checked), teacher, activations, 1, Run(tmp_path), seed)

    yield make
    for one in opened:
        one.__exit__()


def test_a_small_teacher_by_a_source_card_of_its_own(lesson_of, monkeypatch):
    images, labels = pictures()
    lesson = lesson_of(net(), images, labels)
    indices = sample(lesson)
    x = (images[list(indices)] / 255.0 - 0.5) / 0.5
    x = torch.tensor(x, dtype=torch.float32).permute(0, 3, 1, 2)
    model = net()
    with torch.no_grad():
        given, logits = {"1": model[0](x), "4": model[:4](x)}, model(x).double().numpy()
    expected = [shift_by_loops(given[n].numpy(), model[int(n)]) for n in ("1", "4")]
    card = card_of({8: 0.1, 64: 0.05})
    monkeypatch.setattr(room, "source_card", lambda *_: card)
    found = similarity(lesson)
    assert found.gauge == "batch-norm shift" and found.details["items"] == len(indices)
    assert found.details["shift"] == pytest.approx(np.mean(expected), rel=1e-4)
    assert list(found.details["layers"].values()) == pytest.approx(expected, rel=1e-4)
    assert found.details["energy"] == pytest.approx(logsumexp(logits, axis=1).mean(), rel=1e-5)
    own = card.of(len(indices)).shift.mean
    assert found.value == pytest.approx(1 / (1 + max(0, np.mean(expected) - own) / 0.1), rel=1e-4)
    stages = [lesson.teacher.card.owners[f"{n}.running_mean"] for n in ("1", "4")]
    assert stages[0] != stages[1]
    assert [found.details["stages"][s] for s in stages] == pytest.approx([e - own for e in expected], rel=1e-3)  # fmt: skip


def test_it_is_plain_json_and_comes_back(lesson_of):
    found = similarity(lesson_of(net(), *pictures()))
    assert found.gauge == "batch-norm shift" and 0 <= found.value <= 1
    told = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert set(told) == {"value", "gauge", "farther_than", "because", "details"}
    assert Similarity(**told) == found


def test_without_batch_norm_the_prototypes_are_asked(lesson_of):
    found = similarity(lesson_of(net(norm=False), *pictures()))
    assert found.gauge == "prototypes" and found.details["standing_out"] > 0
    few = similarity(lesson_of(net(norm=False, labels=5), *pictures()))
    assert few.value is None and "5 classes are too few" in few.because
    assert few.details["prototype_distance"] > 0


def test_the_answer_does_not_depend_on_the_seed_or_the_order(lesson_of):
    images, labels = pictures()
    first = similarity(lesson_of(net(), images, labels))
    assert similarity(lesson_of(net(), images, labels, seed=7)) == first
    back = lesson_of(net(), images[::-1].copy(), labels[::-1])
    digests = {back.checked.digests[i] for i in sample(back)}
    plain = lesson_of(net(), images, labels)
    assert digests == {plain.checked.digests[i] for i in sample(plain)}
    assert similarity(back) == first


def test_nothing_is_extracted_and_nothing_is_counted(lesson_of):
    lesson = lesson_of(net(), *pictures())
    similarity(lesson)
    counters = lesson.activations.counters
    assert (counters.decoded, counters.batches, counters.rows_computed) == (0, 0, 0)


def fake(digests, labels, companions=()):
    """As much of a lesson as a sample looks at."""
    examples = [SimpleNamespace(label=y, companion=i in companions) for i, y in enumerate(labels)]
    return SimpleNamespace(
        dataset=SimpleNamespace(examples=examples), checked=SimpleNamespace(digests=digests),
        parts=SimpleNamespace(train=tuple(range(len(labels)))),
    )  # fmt: skip


def test_a_sample_takes_the_classes_in_turn_and_each_content_once():
    lesson = fake(["d", "a", "c", "b", "e", "a"], ["x", "x", "x", "y", "y", "x"])
    assert sample(lesson) == (1, 3, 2, 4, 0)
    assert sample(lesson, 3) == (1, 3, 2)
    many = fake([f"{i:04d}" for i in range(500)], [str(i % 7) for i in range(500)])
    chosen = sample(many)
    assert len(chosen) == 64 == len(set(chosen))
    counts = np.bincount([i % 7 for i in chosen])
    assert counts.max() - counts.min() <= 1


def test_a_companion_is_no_part_of_the_users_data():
    lesson = fake(["a", "b", "c"], ["x", "y", "z"], companions=(0, 1))
    assert sample(lesson) == (2,)
    assert sample(fake(["b", "a"], ["x", "y"], companions=(0, 1))) == (1, 0)


def test_broken_pictures_are_left_out(lesson_of, monkeypatch):
    from dataclasses import replace

    from tutelage.errors import DataError

    lesson = lesson_of(net(), *pictures(30))
    broken = {id(lesson.activations.items[i]) for i in sample(lesson)[::2]}
    whole = lesson.teacher.modality

    def read(item):
        if id(item) in broken:
            raise DataError("unreadable", given="half of it", expected="all", next="Mend it.")
        return whole.read(item)

    mended = replace(lesson.teacher, modality=replace(whole, read=read, reduced=None))
    lesson.activations.teacher = mended
    lesson = replace(lesson, teacher=mended)
    left = [i for some, _ in prepared(lesson, sample(lesson)) for i in some]
    assert left == list(sample(lesson)[1::2])
    assert similarity(lesson).details["items"] == len(left)
    broken |= {id(item) for item in lesson.activations.items}
    found = similarity(lesson)
    assert (found.value, found.gauge) == (None, "none") and "no item can be read" in found.because
