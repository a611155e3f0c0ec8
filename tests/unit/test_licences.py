"""Licences: what is permitted without a question, and what the refusal says."""

from __future__ import annotations

import pytest

from tutelage.errors import TeacherError
from tutelage.teachers.licences import permits, reason, refuse


@pytest.mark.parametrize(
    "licence",
    [
        "apache-2.0", "Apache-2.0", "Apache 2.0", "APACHE_2.0", " mit ", "MIT", "BSD-3-Clause", "bsd_3",
        "BSD 2-Clause", "ISC", "Unlicense", "CC0-1.0", "cc-by-4.0", "CC BY 3.0", "apple-ascl",
    ],
)  # fmt: skip
def test_open_licences_pass(licence: str) -> None:
    assert permits(licence)
    assert reason(licence) == ""
    refuse(licence, "timm:any", allowed=False)


@pytest.mark.parametrize(
    ("licence", "why"),
    [
        ("cc-by-nc-4.0", "non-commercial"),
        ("CC BY-NC-SA 4.0", "non-commercial"),
        ("cc_by_nc_nd_4.0", "non-commercial"),
        ("fair-noncommercial-research-license", "non-commercial"),
        ("apple-amlr", "non-commercial"),  # "exclusively for Research Purposes"
        ("seer-license", "non-commercial"),  # "solely for your non-commercial research purposes"
        ("Some Non-Commercial licence", "non-commercial"),
        ("dinov3-license", "terms of its own"),
        ("gemma", "terms of its own"),
        ("openrail", "terms of its own"),
        ("creativeml-openrail-m", "terms of its own"),
        ("other", "terms of its own"),
        ("gpl-3.0", "terms of its own"),
        ("cc-by-sa-4.0", "terms of its own"),
        ("", "none stated"),
        ("  ", "none stated"),
        ("unknown", "none stated"),
        ("None", "none stated"),
    ],
)
def test_all_others_are_refused_with_their_reason(licence: str, why: str) -> None:
    assert not permits(licence)
    with pytest.raises(TeacherError) as caught:
        refuse(licence, "timm:some.teacher", allowed=False)
    error = caught.value
    assert error.kind == "licence"
    assert error.exit_code == 1
    assert why in error.given
    assert "timm:some.teacher" in error.given
    assert licence.strip() in error.given
    assert "--allow-licence" in error.next


@pytest.mark.parametrize("licence", ["cc-by-nc-4.0", "dinov3-license", "", "unknown", "mit"])
def test_allowed_is_allowed(licence: str) -> None:
    refuse(licence, "timm:some.teacher", allowed=True)


def test_each_reason_is_the_only_one_named() -> None:
    reasons = {"non-commercial", "terms of its own", "none stated"}
    for licence, why in (("cc-by-nc-4.0", "non-commercial"), ("gemma", "terms of its own"), ("", "none stated")):  # fmt: skip
        with pytest.raises(TeacherError) as caught:
            refuse(licence, "x", allowed=False)
        assert {one for one in reasons if one in caught.value.given} == {why}
