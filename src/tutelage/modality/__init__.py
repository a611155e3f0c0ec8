"""A modality is a value: a record of functions. After ``collate`` nothing knows which one it is."""

from tutelage.modality.record import Facts, Fingerprint, InputSpec, Item, Modality, lacking

__all__ = ["Facts", "Fingerprint", "InputSpec", "Item", "Modality", "lacking"]
