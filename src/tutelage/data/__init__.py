"""Sources, checks and splits: what the user has, what is wrong with it, who learns and who is tested."""

from tutelage.data.checks import Checked, check, digest_item
from tutelage.data.example import Dataset, Example, Finding, Part
from tutelage.data.facts import FactsStore
from tutelage.data.kind import claimed, modality_of
from tutelage.data.parts import Parts
from tutelage.data.sources import Source, open_source, open_unlabelled
from tutelage.data.splits import carve_validation, split
from tutelage.data.thin import thin

__all__ = [
    "Checked", "Dataset", "Example", "FactsStore", "Finding", "Part", "Parts", "Source",
    "carve_validation", "check", "claimed", "digest_item", "modality_of", "open_source", "open_unlabelled", "split", "thin",
]  # fmt: skip
