"""Weight files that run a command where they are loaded unguarded."""

import os
import pickle

import torch


class Evil:
    """Runs a command wherever a pickle of it is loaded unguarded."""

    def __init__(self, marker) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def plant(path, marker, how):
    content = {"weight": torch.zeros(2), "extra": Evil(marker)}
    if how == "zip":
        torch.save(content, path)
    elif how == "old":
        torch.save(content, path, _use_new_zipfile_serialization=False)
    else:
        path.write_bytes(pickle.dumps(content["extra"]))
