"""Which sound shard has which row: compact, in memory, learnt from the shards themselves."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tutelage.errors import ArtefactError
from tutelage.features import shard
from tutelage.features.gathered import ROW_BITS
from tutelage.features.ragged import Rows
from tutelage.features.shard import Key, Layout, Shard

MAPS = 64
"""Shards mapped at a time: a mapping holds a file handle, and systems allow about a thousand."""

Places = npt.NDArray[np.int64]


class Index:
    """The rows of the shards in ``folder``. The first shard that has a row, in order of learning, wins.

    Args:
        folder: of one extractor.
        admit: raises ``ArtefactError`` if shards of that layout do not belong here.

    Attributes:
        set_aside: name of a damaged file -> why.
    """

    def __init__(self, folder: Path, admit: Callable[[Layout], None]) -> None:
        self.set_aside: dict[str, str] = {}
        self._folder, self._admit = folder, admit
        self._seen: set[str] = set()
        self._shards: list[Shard | None] = []  # None: set aside
        self._places: dict[bytes, int] = {}
        self._sound: set[int] = set()
        self._maps: OrderedDict[int, Rows] = OrderedDict()

    def refresh(self) -> None:
        """Learn of shards that were written since, by whomever."""
        names = (path.name for path in self._folder.glob("*" + shard.SUFFIX))
        for name in sorted(set(names) - self._seen):
            self._learn(self._folder / name)

    def enter(self, found: Shard, keys: Sequence[bytes]) -> None:
        """Take in a shard and its packed keys."""
        self._seen.add(found.path.name)
        self._shards.append(found)
        self._place(len(self._shards) - 1, keys)

    def locate(self, keys: Sequence[Key]) -> Places:
        """Per key its place, or -1. Every shard that is named has been verified."""
        packed = [shard.pack(key) for key in keys]
        while True:
            found = (self._places.get(key, -1) for key in packed)
            where = np.fromiter(found, np.int64, len(packed))
            named = np.unique(where[where >= 0] >> ROW_BITS).tolist()
            sound = [self._verified(number) for number in named]
            if all(sound):
                return where

    def mapped(self, number: int) -> Rows:
        """The tensors of a shard that was verified.

        Raises:
            ArtefactError: somebody removed it by hand.
        """
        if number not in self._maps:
            self._maps[number] = self._map(number)
        self._maps.move_to_end(number)
        if len(self._maps) > MAPS:
            self._maps.popitem(last=False)
        return self._maps[number]

    def put_aside(self, path: Path, error: Exception) -> None:
        """Rename a damaged file and note why, unless another process did so already."""
        if path.exists():
            self.set_aside[path.name] = str(error)
            with suppress(OSError):  # a file that cannot be renamed is still not believed here
                os.replace(path, path.with_name(path.name + ".damaged"))

    def _place(self, number: int, keys: Sequence[bytes]) -> None:
        base = number << ROW_BITS
        for row, key in enumerate(keys):
            self._places.setdefault(key, base | row)

    def _learn(self, path: Path) -> None:
        self._seen.add(path.name)
        try:
            found = shard.read(path, self._folder.name)
            if found is None:
                return
            keys = found.keys()
            self._admit(found.layout)
        except (ArtefactError, OSError) as error:
            self.put_aside(path, error)
        else:
            self.enter(found, keys)

    def _verified(self, number: int) -> bool:
        one = self._shards[number]
        if one is None:
            return False
        if number not in self._sound:
            try:
                one.verify()
            except (ArtefactError, OSError) as error:
                self._drop(number, one, error)
                return False
            self._sound.add(number)
        return True

    def _drop(self, number: int, one: Shard, error: Exception) -> None:
        """Set a shard aside, and let other shards' copies of its rows take over."""
        self._shards[number] = None
        self.put_aside(one.path, error)
        self._places = {}
        for other, kept in enumerate(self._shards):
            if kept is not None:
                self._replace(other, kept)

    def _replace(self, number: int, kept: Shard) -> None:
        try:
            self._place(number, kept.keys())
        except (ArtefactError, OSError) as error:
            self._shards[number] = None
            self.put_aside(kept.path, error)

    def _map(self, number: int) -> Rows:
        one = self._shards[number]
        try:
            if one is not None:
                return one.map()
        except (OSError, ValueError) as error:
            raise _gone(self._folder) from error
        raise _gone(self._folder)


def _gone(folder: Path) -> ArtefactError:
    return ArtefactError(
        "missing-rows", given=f"a part of {folder} went away while it was in use",
        expected="a cache from which only tutelage removes",
        next="Run the same command again: it computes what is missing.",
    )  # fmt: skip
