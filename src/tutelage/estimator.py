"""``TransferClassifier``: a scikit-learn estimator, for cross_val_score, GridSearchCV and Pipeline."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from tutelage.api import fit_run


class TransferClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A student as an estimator: the constructor stores, ``fit`` learns and returns self.

    Args:
        teacher, freeze, mode, seed, device: see ``FitOptions``.
        out: where run folders go; a temporary folder, removed afterwards, if None.

    Attributes:
        classes_: class labels, sorted.
        student_: the fitted student.

    Example:
        >>> cross_val_score(TransferClassifier(mode="deep"), images, y)  # doctest: +SKIP
    """

    def __init__(
        self, teacher: str = "auto", freeze: str = "auto", mode: str | None = None, seed: int = 0,
        device: str = "auto", out: str | None = None,
    ) -> None:  # fmt: skip
        self.teacher, self.freeze, self.mode = teacher, freeze, mode
        self.seed, self.device, self.out = seed, device, out

    def fit(self, X: Sequence[Any] | npt.NDArray[Any], y: Sequence[Any]) -> TransferClassifier:
        """Learn from paths or arrays (N, H, W[, C]) and labels (N,), all of them: nothing is held out."""
        self.classes_ = np.unique(np.asarray(y))
        names = {label: f"{index:06d}" for index, label in enumerate(self.classes_.tolist())}
        labels = [names[label] for label in np.asarray(y).tolist()]
        with tempfile.TemporaryDirectory() as scratch:
            fitted = fit_run(
                _items(X), labels, teacher=self.teacher, freeze=self.freeze, mode=self.mode,
                seed=self.seed, device=self.device, test_share=0.0, out=Path(self.out or scratch),
            )  # fmt: skip
        self.student_ = fitted.student
        return self

    def predict_proba(self, X: Sequence[Any] | npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Calibrated probabilities (N, C), columns in the order of ``classes_``."""
        check_is_fitted(self)
        return self.student_.predict_proba(_items(X))

    def predict(self, X: Sequence[Any] | npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The most probable label of each item (N,)."""
        check_is_fitted(self)
        predicted: npt.NDArray[Any] = self.classes_[self.predict_proba(X).argmax(1)]
        return predicted


def _items(X: Any) -> list[Any]:
    """Rows as a list: what a slice of an object array or a list of paths holds."""
    return list(X)
