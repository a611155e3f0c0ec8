"""Stages, cuts and freezing. Import from the files: only ``decision`` is free of PyTorch."""
