"""A tiny encoder of texts, made on the spot: random weights, a tokenizer of its own; and texts that tell classes apart."""

from __future__ import annotations

import csv
import functools
import shutil
import tempfile
from pathlib import Path

import numpy as np

WORDS = {
    "weather": ["sun", "rain", "wind", "cloud", "storm", "snow", "frost", "heat", "fog", "hail"],
    "money": ["card", "cash", "bank", "loan", "price", "debt", "coin", "tax", "rent", "sale"],
    "food": ["bread", "soup", "apple", "cheese", "rice", "salt", "fish", "cake", "tea", "bean"],
}
FILLERS = [
    "the",
    "a",
    "of",
    "and",
    "is",
    "was",
    "very",
    "my",
    "your",
    "this",
    "that",
    "with",
    "for",
    "some",
]


@functools.cache
def _made() -> Path:
    """Built once a process; copied from there."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    folder = Path(tempfile.mkdtemp(prefix="tiny-bert-"))
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        *FILLERS,
        *(w for ws in WORDS.values() for w in ws),
    ]
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789.,!?'-+=")
    vocabulary = dict.fromkeys([*words, *letters, *("##" + c for c in letters)])
    table = {word: number for number, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(table, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(table), hidden_size=32, num_hidden_layers=3, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=66, pad_token_id=0, initializer_range=0.2,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


def tiny_bert(folder: Path) -> Path:
    """``folder/tiny``: config, safetensors and tokenizer, as ``save_pretrained`` leaves them; reads 64 tokens."""
    target = folder / "tiny"
    shutil.copytree(_made(), target)
    return target


def sentences(label: str, count: int, seed: int = 0, least: int = 3, most: int = 30) -> list[str]:
    """Texts of different lengths with a few of a class's words in them."""
    rng = np.random.default_rng([seed, sorted(WORDS).index(label)])
    found = []
    for _ in range(count):
        size = int(rng.integers(least, most))
        words = rng.choice(FILLERS, size).tolist()
        for place in rng.choice(size, max(1, size // 3), replace=False):
            words[place] = str(rng.choice(WORDS[label]))
        found.append(" ".join(words))
    return found


def reviews(path: Path, each: int = 60) -> Path:
    """A table with the columns text and label."""
    rows = [(text, label) for label in WORDS for text in sentences(label, each)]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        writer.writerows(rows)
    return path


def fit_reviews(folder: Path, each: int) -> Path:
    """The run of a student of so many reviews a class, its tiny teacher beside it."""
    from tutelage.api import fit_run

    teacher = tiny_bert(folder)
    run: Path = fit_run(reviews(folder / "reviews.csv", each), teacher=str(teacher), mode="deep", out=folder).run  # fmt: skip
    return run
