"""What the checks process is asked, and what it answers: events, one JSON document a line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.classroom.results import Outcome
from lab.classroom.runs import CheckRun
from lab.classroom.wording import Texts


@dataclass(frozen=True, kw_only=True)
class Target:
    """One machine to check.

    `unreachable` says why, in every language, when it is known beforehand that it cannot be.
    """

    machine: str
    address: str
    login: str
    name: str
    email: str
    vhost: str
    vars: dict[str, str]
    unreachable: Texts = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A guide's checks on machines of one project.

    Attributes:
        project: the folder of labs.yaml.
        checks: the folder of the guide's checks.
        steps: the names of the guide's steps in order.
        targets: the machines.
        jobs: how many machines at a time.
        patience: how many times longer than in a container everything may take on them.
    """

    project: str
    checks: str
    steps: tuple[str, ...]
    targets: tuple[Target, ...]
    jobs: int
    patience: float = 1.0

    def to_json(self) -> str:
        """The request as one line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Request:
        """What `to_json` wrote."""
        data = json.loads(text)
        data["targets"] = tuple(Target(**target) for target in data["targets"])
        data["steps"] = tuple(data["steps"])
        return cls(**data)


def collected_event(rows: Sequence[CheckRun]) -> str:
    """The event that the checks have been read; `rows` are what `unfound` takes."""
    return json.dumps({"collected": [dataclasses.asdict(row) for row in rows]})


def result_event(machine: str, result: CheckRun) -> str:
    """The event that a check has ended on a machine."""
    return json.dumps({"machine": machine, "result": dataclasses.asdict(result)})


def done_event(machine: str) -> str:
    """The event that a machine has had all its checks."""
    return json.dumps({"machine": machine, "done": True})


def unfound(rows: Sequence[CheckRun], told: int, why: Texts) -> Iterator[CheckRun]:
    """What stands for the checks that a machine has no result of.

    Args:
        rows: an unknown one for every check, in the order in which they are run.
        told: how many results the machine has.
        why: what became of the others; of one that could not be read, its row says that.
    """
    for row in rows[told:]:
        yield row if row.message else dataclasses.replace(row, message=why)


def read_result(data: dict[str, Any]) -> CheckRun:
    """A check's result from its event."""
    return CheckRun(
        **{
            **data,
            "outcome": Outcome(data["outcome"]),
            "blocked_by": tuple(data["blocked_by"]),
        }
    )
