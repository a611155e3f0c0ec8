"""Small pictures with something in them, and every way to break one, for the tests of data."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, size: tuple[int, int] = (120, 90)) -> Image.Image:
    """A smooth random colour picture, different for every seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def save(path: Path, seed: int, size: tuple[int, int] = (120, 90), **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, size).save(path, **options)
    return path


def bomb(path: Path, side: int = 50_000) -> Path:
    """A PNG whose header claims side x side pixels and that holds a few bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def truncate(path: Path, share: float = 0.6) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def photos(root: Path, classes: tuple[str, ...] = ("cat", "dog"), each: int = 12) -> Path:
    """A folder with one sub-folder per class, all pictures different."""
    for c, name in enumerate(classes):
        for n in range(each):
            save(root / name / f"{n}.jpg", 1000 * c + n, quality=90)
    return root
