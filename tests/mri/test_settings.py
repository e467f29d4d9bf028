"""Settings become fields."""

from dataclasses import dataclass
from typing import Literal

import pytest

from gadgets.mri.settings import build


@dataclass(frozen=True, kw_only=True)
class Example:
    count: int = 1
    weight: float = 0.5
    fast: bool = False
    label: str = ""
    limit: float | None = None
    kind: Literal["soft", "hard"] = "soft"


def test_text_is_converted_by_annotation():
    made = build(Example, {"count": "3", "weight": "1e-3", "fast": "true", "label": "3", "limit": "2", "kind": "hard"})
    assert made == Example(count=3, weight=1e-3, fast=True, label="3", limit=2.0, kind="hard")
    assert build(Example, {"limit": "none", "count": 2.0}) == Example(count=2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": "3"}, "Example has no setting size; it has: count, weight, fast, label, limit, kind"),
        ({"count": "2.5"}, "Example.count is '2.5', expected an integer"),
        ({"count": True}, "expected an integer"),
        ({"fast": "1"}, "expected true or false"),
        ({"kind": "medium"}, "expected one of 'soft', 'hard'"),
        ({"limit": "much"}, "Example.limit is 'much', expected a number"),
    ],
)
def test_refusals_name_the_setting_and_the_choices(settings, message):
    with pytest.raises(ValueError, match=message):
        build(Example, settings)


def test_a_setting_without_default_is_asked_for():
    @dataclass(frozen=True, kw_only=True)
    class Needs:
        path: str

    with pytest.raises(ValueError, match="needs the settings path"):
        build(Needs, {})
