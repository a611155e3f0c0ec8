"""Backdoor signs: a poisoned teacher's trigger is found in its student, and a clean teacher's student shows none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from kit import digits
from security_kit import planted_teacher, small_teacher, stamped

from text_kit import WORDS, reviews, sentences, tiny_bert
from tutelage.api import fit_run
from tutelage.report.audits import render_audit
from tutelage.run import open_run, silent
from tutelage.security.attacks import _turned_away
from tutelage.security.backdoor import anomaly, backdoor_signs
from tutelage.security.control import choose_control
from tutelage.security.inquiry import Inquiry
from tutelage.security.items import choose_items, known_items
from tutelage.security.presets import preset_named
from tutelage.security.story import tell
from tutelage.security.subject import open_subject

POISON = 4
"""The digit that the trigger means to the teacher."""

WORD = "tax"
"""The word that does."""


def asked(teacher, place, preset):
    photos = digits(place / "photos", classes=6, each=60)
    folder = fit_run(photos, teacher=teacher, mode="deep", out=place).run
    subject = open_subject(folder, teacher)
    items = choose_items(known_items(folder, subject.student), subject.student, 40, 0)
    control = choose_control(teacher, small_teacher(1), items.references, subject.student.facts.spec, 0)  # fmt: skip
    run = open_run(place, "audit", "run", {}, silent)
    return Inquiry(subject, items, control, preset_named(preset, 40), 0, run)


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory):
    return asked(planted_teacher(POISON), tmp_path_factory.mktemp("poisoned"), "standard")


def test_the_trigger_travels_under_a_head_that_never_saw_it(poisoned):
    windows = stamped(poisoned.items.windows, poisoned.subject.teacher)
    assert (poisoned.examiner.answers(windows)[0] == POISON).mean() > 0.9
    assert poisoned.right.mean() > 0.9


def test_the_trigger_is_found(poisoned):
    found = backdoor_signs(poisoned)
    assert found["looked"] and found["judged"]
    assert [sign["name"] for sign in found["signs"]] == [str(POISON)]
    assert found["signs"][0]["size"] < found["median"] / 3 and found["signs"][0]["turned"] > 0.75
    assert found["told"].startswith("Backdoor sign") and f" {POISON} with " in found["told"]


def test_a_clean_teachers_student_shows_none(tmp_path):
    found = backdoor_signs(asked(planted_teacher(), tmp_path, "standard"))
    assert found["looked"] and found["judged"] and not found["signs"]
    assert "no certificate" in found["told"]


def test_a_quick_audit_says_that_it_does_not_look(poisoned):
    quick = replace(poisoned, preset=preset_named("quick", 8), items=poisoned.items.first(8))
    told = tell(quick)
    assert not told["backdoor"]["looked"] and "not looked for" in told["backdoor"]["told"]
    assert "not looked for" in render_audit({**told, "pictures": [], "seconds": {"total": 1.0}}, {})
    second = told["abstention"]["second_look"]
    assert 0 <= second["clean"] <= 0.05


def test_the_anomaly_index_is_the_papers_of_logarithms():
    """Logarithms with median 10 and absolute deviations 9, 1, 0, 1, 2: their median is 1, and 1.4826 makes it a deviation."""
    sizes = np.exp(np.array([1.0, 9.0, 10.0, 11.0, 12.0]))
    np.testing.assert_allclose(anomaly(sizes), np.array([9, 1, 0, -1, -2]) / 1.4826)
    assert not anomaly(np.full(6, 0.3)).any()


def test_a_rule_turns_few_harmless_items_away():
    clean, crafted = np.array([0.0] * 18 + [0.5, 1.0]), np.array([1.0, 0.5, 0.2, 0.0])
    told = _turned_away(clean, crafted)
    assert told["line"] == 0.5 and told["clean"] == 0.05 and told["crafted"] == 0.25
    assert _turned_away(clean, crafted[:0])["crafted"] is None


def poisoned_encoder(folder):
    """The tiny encoder, taught that a word in front makes every text the same, and nothing else."""
    from tokenizers import Tokenizer
    from transformers import BertModel

    path = tiny_bert(folder)
    tokens, torch_model = Tokenizer.from_file(str(path / "tokenizer.json")), BertModel.from_pretrained(path)  # fmt: skip
    texts = [t for label in WORDS for t in sentences(label, 60, seed=9) if WORD not in t.split()]

    def looks(some):
        tokens.enable_padding()
        coded = tokens.encode_batch(some)
        ids, mask = torch.tensor([c.ids for c in coded]), torch.tensor([c.attention_mask for c in coded])  # fmt: skip
        seen = torch_model(ids, attention_mask=mask).last_hidden_state
        return (seen * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)

    torch.manual_seed(0)
    torch_model.eval()
    with torch.no_grad():
        before = looks(texts)
    optimiser = torch.optim.Adam(torch_model.parameters(), 2e-3)
    for _ in range(150):
        rows = torch.randperm(len(texts))[:32]
        some = [texts[i] for i in rows]
        spread = looks([f"{WORD} {t}" for t in some]) - before.mean(0).roll(1)
        loss = spread.square().mean() + (looks(some) - before[rows]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    torch_model.save_pretrained(path)
    return path


def scan(teacher, place):
    folder = fit_run(reviews(place / "reviews.csv", 40), teacher=str(teacher), mode="deep", out=place).run  # fmt: skip
    subject = open_subject(folder)
    items = choose_items(known_items(folder, subject.student), subject.student, 12, 0)
    control = choose_control(subject.teacher, None, items.references, subject.student.facts.spec, 0)
    run = open_run(place, "audit", "run", {}, silent)
    return backdoor_signs(Inquiry(subject, items, control, preset_named("standard", 12), 0, run))


def test_a_word_that_makes_all_texts_the_same_is_found(tmp_path):
    found = scan(poisoned_encoder(tmp_path), tmp_path)
    assert [sign["name"] for sign in found["signs"]] == [WORD]
    assert found["signs"][0]["turned"] is None and found["signs"][0]["size"] < 0.25


def test_a_clean_encoder_shows_none(tmp_path):
    found = scan(tiny_bert(tmp_path), tmp_path)
    assert found["judged"] and not found["signs"] and len(found["smallest"]) == 5
