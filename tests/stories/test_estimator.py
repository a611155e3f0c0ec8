"""`TransferClassifier` is an estimator like others: clone, cross_val_score, GridSearchCV, Pipeline."""

import numpy as np
import pytest
from kit import digits
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline

from tutelage import TransferClassifier


@pytest.fixture(scope="module")
def images():
    data = load_digits(n_class=3)
    keep = np.arange(90)
    return np.rint(data.images[keep] * (255 / 16)).astype(np.uint8), data.target[keep]


def test_it_fits_and_keeps_the_labels_as_they_are(images):
    X, y = images
    model = TransferClassifier(mode="deep").fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2] and model.predict(X[:5]).dtype == y.dtype
    assert (model.predict(X) == y).mean() > 0.9
    assert np.allclose(model.predict_proba(X[:4]).sum(1), 1)


def test_cross_validation_and_search(images):
    X, y = images
    assert cross_val_score(TransferClassifier(mode="deep"), X, y, cv=3).mean() > 0.85
    search = GridSearchCV(
        Pipeline([("student", TransferClassifier())]), {"student__mode": ["deep"]}, cv=2
    ).fit(X, y)
    assert search.best_params_ == {"student__mode": "deep"}


def test_the_constructor_only_stores():
    model = TransferClassifier(freeze="blocks.3", seed=3)
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        model.predict(["a.png"])


def test_it_takes_paths(tmp_path):
    files = sorted(digits(tmp_path / "p").rglob("*.png"))
    labels = [f"digit {path.parent.name}" for path in files]
    model = TransferClassifier(mode="deep").fit(files, labels)
    assert model.predict(files[:1]).tolist() == ["digit 0"]
