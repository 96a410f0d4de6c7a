"""What a check says about itself in its `@pytest.mark.check(...)`, and whether it makes sense."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.classroom.wording import FALLBACK, Texts

KNOWN = ("id", "step", "points", "title", "hint", "full_hint", "after", "hidden")


@dataclass(frozen=True, kw_only=True)
class CheckSpec:
    """One check.

    Attributes:
        id: its own, unique in the guide.
        step: the step that it is bound to.
        title: what it is about.
        points: its weight; 0 for one that is told and not counted.
        hint: teaches where to look.
        full_hint: gives the answer away.
        after: the ids of the checks that it means nothing without.
        hidden: for the teacher alone.
    """

    id: str
    step: str
    title: Texts
    points: float = 1.0
    hint: Texts = field(default_factory=dict)
    full_hint: Texts = field(default_factory=dict)
    after: tuple[str, ...] = ()
    hidden: bool = False


def read_spec(values: Mapping[str, Any], *, where: str, steps: Sequence[str]) -> CheckSpec:
    """A check's own words, checked.

    Args:
        values: the keywords of the mark.
        where: the test, for messages.
        steps: the names of the guide's steps.

    Raises:
        ValueError: what is wrong with it, in a sentence.
    """
    unknown = [name for name in values if name not in KNOWN]
    if unknown:
        raise ValueError(
            f"{where}: the mark `check` knows no {unknown[0]!r}; it takes {', '.join(KNOWN)}"
        )
    missing = [name for name in ("id", "step", "title") if not values.get(name)]
    if missing:
        raise ValueError(f"{where}: the mark `check` lacks {missing[0]!r}")
    if values["step"] not in steps:
        raise ValueError(
            f"{where}: there is no step {values['step']!r} in the guide; it has {', '.join(steps)}"
        )
    return CheckSpec(
        id=_id(values["id"], f"{where}: id"),
        step=str(values["step"]),
        title=_texts(values["title"], f"{where}: title"),
        points=_points(values.get("points", 1), f"{where}: points"),
        hint=_texts(values.get("hint", {}), f"{where}: hint"),
        full_hint=_texts(values.get("full_hint", {}), f"{where}: full_hint"),
        after=_ids(values.get("after", ()), f"{where}: after"),
        hidden=_flag(values.get("hidden", False), f"{where}: hidden"),
    )


def problems_of(specs: Sequence[CheckSpec]) -> list[str]:
    """What is wrong with checks taken together.

    An id given twice, an `after` that names no check or one that comes later.
    """
    problems = []
    seen: set[str] = set()
    ids = {spec.id for spec in specs}
    for spec in specs:
        if spec.id in seen:
            problems.append(f"two checks have the id {spec.id}")
        for other in spec.after:
            if other not in ids:
                problems.append(f"{spec.id} comes after {other}, and there is no such check")
            elif other not in seen:
                problems.append(
                    f"{spec.id} comes after {other}, which is run later: write it further down"
                )
        seen.add(spec.id)
    return problems


def _id(value: object, what: str) -> str:
    # It stands in a line of its own among what a fork tells, and in every report.
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"{what} must be text on one line, not {value!r}")
    return value


def _ids(value: object, what: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{what} must be a list of ids, not {value!r}")
    return tuple(_id(other, f"{what}: each") for other in value)


def _points(value: object, what: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            points = float(value)
        except OverflowError:
            points = math.inf
        if math.isfinite(points) and points >= 0:
            return points
    raise ValueError(f"{what} must be a number that is not negative, not {value!r}")


def _flag(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{what} must be True or False, not {value!r}")
    return value


def _texts(value: object, what: str) -> dict[str, str]:
    if isinstance(value, str):
        return {FALLBACK: value}
    words = [*value.keys(), *value.values()] if isinstance(value, Mapping) else [value]
    if not isinstance(value, Mapping) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"{what} must be text, or a text for each language, not {value!r}")
    return dict(value)
