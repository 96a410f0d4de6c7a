"""Admission: how many machines of a roster fit, what limits, and what can be done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import HOST
from lab.machines.admission import Admission, use_of
from lab.machines.providers.base import Limit
from lab.report.admission import fits_json, fits_lines
from lab.workflow.admission import admit

MIXED = """
labs:
  hello:
    guide: tiny
    box: debian-12
    domain: example.org
    students:
      - ana
      - {login: luis, machine: {memory: 1GB}}
      - marta
      - {login: pep, machine: {memory: 256MB}}
"""


def limit(name: str, free: float, **more: Any) -> Limit:
    unit = {"memory": "MB", "disk": "GB"}.get(name, "")
    return Limit(name=name, **{"unit": unit, "free": free, "of": free, "hint": "", **more})


def memory(free: float) -> Limit:
    return limit("memory", free, promised=True)


def test_a_class_that_fits(project: Any) -> None:
    project.provider.limits = (memory(20480), limit("addresses", 250))
    admission = admit(project.provider, project.machines)
    assert (admission.fit, admission.of, admission.all_fit) == (3, 3, True)
    assert (admission.short, admission.options) == ((), ())
    assert fits_lines(admission) == ["3 of 3 machines fit"]


def test_without_any_known_limit_all_fit(project: Any) -> None:
    admission = admit(project.provider, project.machines)
    assert admission == Admission(fit=3, of=3, uses=())
    assert fits_lines(admission) == ["3 of 3 machines fit"]


def test_where_nothing_is_to_be_started_nothing_is_said(project: Any) -> None:
    project.provider.limits = (memory(-100), limit("disk", -1))
    admission = admit(project.provider, [])
    assert (admission.all_fit, admission.of) == (True, 0)
    assert fits_lines(admission) == []


def test_machines_are_counted_in_the_roster_s_order(
    classroom: Callable[[str], Any], provider: Any
) -> None:
    project = classroom(MIXED)
    for free, fit in ((511, 0), (512, 1), (1535, 1), (1536, 2), (2047, 2), (2048, 3), (2304, 4)):
        provider.limits = (memory(free),)
        assert admit(provider, project.machines).fit == fit


def test_the_limit_that_is_met_first_decides(project: Any) -> None:
    project.provider.limits = (memory(1024), limit("disk", 1), limit("addresses", 9))
    admission = admit(project.provider, project.machines)
    assert admission.fit == 1
    assert [(use.limit.name, use.needed, use.fit) for use in admission.uses] == [
        ("memory", 1536, 2),
        ("disk", 3, 1),
        ("addresses", 3, 3),
    ]


def test_machines_that_were_made_before_need_no_second_address(project: Any) -> None:
    ana, _, marta = project.machines
    project.provider.limits = (limit("addresses", 1),)
    assert admit(project.provider, project.machines).fit == 1
    existing = {ana.container, marta.container}
    assert admit(project.provider, project.machines, existing=existing).all_fit
    project.provider.limits = (limit("addresses", 0),)
    assert admit(project.provider, project.machines, existing=existing).fit == 1
    assert admit(project.provider, [ana, marta], existing=existing).all_fit


def test_a_class_that_does_not_fit_is_refused_with_what_limits_and_all_options(
    project: Any,
) -> None:
    raised = "sudo sysctl -w fs.inotify.max_user_instances={total}"
    project.provider.limits = (
        memory(1100),
        limit("inotify instances", 2, of=1200, hint=raised),
        limit("addresses", 250),
    )
    refusal = admit(project.provider, project.machines).refusal()
    assert refusal.exit_code == HOST
    assert refusal.message == "2 of 3 machines fit on this computer"
    assert refusal.details == (
        "memory: 3 machines need 1536 MB, 1100 MB are free beside what running machines may still take\n"
        "inotify instances: 3 machines need 3, 2 are free"
    )
    assert refusal.hint.splitlines() == [
        "sudo sysctl -w fs.inotify.max_user_instances=2048",
        "write `machine: {memory: 352MB}` under `defaults:` in labs.yaml, and nothing larger "
        "below it",
        "lab up --fit   (starts the first 2)",
    ]


def test_memory_alone_may_be_promised_twice(project: Any) -> None:
    project.provider.limits = (memory(600),)
    admission = admit(project.provider, project.machines)
    assert admission.smaller_memory_mb == 0
    assert admission.options == (
        "lab up --fit   (starts the first 1)",
        "lab up --overcommit   (starts all: few machines use all their memory)",
    )
    assert admit(project.provider, project.machines, overcommit=True).all_fit


def test_overcommitting_leaves_out_nothing_else(project: Any) -> None:
    project.provider.limits = (memory(600), limit("disk", 2))
    admission = admit(project.provider, project.machines, overcommit=True)
    assert (admission.fit, [use.limit.name for use in admission.uses]) == (2, ["disk"])


def test_where_not_one_fits_there_is_nothing_to_start_without_the_others(project: Any) -> None:
    project.provider.limits = (limit("disk", -3),)
    refusal = admit(project.provider, project.machines[:1]).refusal()
    assert refusal.message == "0 of 1 machine fit on this computer"
    assert refusal.details == "disk: 1 machine needs 1.0 GB, 0.0 GB are free"
    assert refusal.hint == ""


def test_smaller_machines_leave_those_alone_that_are_small_already(
    classroom: Callable[[str], Any], provider: Any
) -> None:
    machines = classroom(MIXED).machines
    provider.limits = (memory(256 + 3 * 400),)
    assert admit(provider, machines).smaller_memory_mb == 384
    provider.limits = (memory(4 * 256 - 1),)
    assert admit(provider, machines).smaller_memory_mb == 0


def test_the_report_of_a_class_that_does_not_fit(project: Any) -> None:
    project.provider.limits = (memory(1024), limit("disk", 7.25, hint="lab box prune"))
    admission = admit(project.provider, project.machines)
    assert fits_lines(admission) == [
        "2 of 3 machines fit",
        "memory: 3 machines need 1536 MB, 1024 MB are free beside what running machines may still take: enough for 2",
        "option: write `machine: {memory: 320MB}` under `defaults:` in labs.yaml, and nothing "
        "larger below it",
        "option: lab up --fit   (starts the first 2)",
        "option: lab up --overcommit   (starts all: few machines use all their memory)",
    ]
    assert fits_json(admission) == {
        "fit": 2,
        "of": 3,
        "limits": [
            {"name": "memory", "unit": "MB", "needed": 1536, "free": 1024, "of": 1024, "fit": 2},
            {"name": "disk", "unit": "GB", "needed": 3, "free": 7.25, "of": 7.25, "fit": 3},
        ],
        "options": [it.removeprefix("option: ") for it in fits_lines(admission)[2:]],
    }


@pytest.mark.parametrize(
    ("free", "of", "needed", "said"),
    [(100, 128, 240, "1024"), (0, 1024, 1, "2048"), (10, 192536, 20, "262144"), (9, 9, 1, "1024")],
)
def test_a_hint_has_a_total_that_is_enough_and_never_less_than_there_is(
    free: float, of: float, needed: float, said: str
) -> None:
    assert limit("keys", free, of=of, hint="raise {total}").hint_for(needed) == f"raise {said}"


@given(
    st.lists(st.integers(0, 900), max_size=40),
    st.lists(st.integers(-10, 20000), min_size=1, max_size=4),
)
def test_what_fits_is_the_longest_prefix_that_every_limit_is_enough_for(
    needs: list[int], free: list[int]
) -> None:
    uses = [use_of(limit(f"l{at}", it), needs) for at, it in enumerate(free)]
    for use in uses:
        assert sum(needs[: use.fit]) <= max(use.limit.free, 0) or not any(needs[: use.fit])
        assert use.fit == len(needs) or sum(needs[: use.fit + 1]) > use.limit.free
