"""What goes to the checks process and comes back, through JSON."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from lab.checks.request import Request, Target, done_event, read_result, result_event
from lab.classroom.results import Outcome
from lab.classroom.runs import CheckRun

TEXTS = st.text(max_size=10)
IN_LANGUAGES = st.dictionaries(st.sampled_from(["en", "es"]), TEXTS)
TARGETS = st.builds(
    Target,
    machine=TEXTS,
    address=TEXTS,
    login=TEXTS,
    name=TEXTS,
    email=TEXTS,
    vhost=TEXTS,
    vars=st.dictionaries(TEXTS, TEXTS),
    unreachable=IN_LANGUAGES,
)
RESULTS = st.builds(
    CheckRun,
    id=TEXTS,
    step=TEXTS,
    title=IN_LANGUAGES,
    outcome=st.sampled_from(Outcome),
    points=st.none() | st.floats(0, 100),
    max_points=st.floats(0, 100),
    message=IN_LANGUAGES,
    expected=IN_LANGUAGES,
    found=TEXTS,
    output=TEXTS,
    hint=IN_LANGUAGES,
    full_hint=IN_LANGUAGES,
    hidden=st.booleans(),
    blocked_by=st.lists(TEXTS).map(tuple),
    seconds=st.floats(0, 100),
)


@given(
    st.builds(
        Request,
        project=TEXTS,
        checks=TEXTS,
        steps=st.lists(TEXTS).map(tuple),
        targets=st.lists(TARGETS, max_size=3).map(tuple),
        jobs=st.integers(1, 99),
    )
)
def test_a_request_is_one_line_and_comes_back(request: Request) -> None:
    text = request.to_json()
    assert "\n" not in text
    assert Request.from_json(text) == request


@given(TEXTS, RESULTS)
def test_a_result_is_one_line_and_comes_back(machine: str, result: CheckRun) -> None:
    event = result_event(machine, result)
    assert "\n" not in event
    assert "\t" not in event
    data = json.loads(event)
    assert data["machine"] == machine
    assert read_result(data["result"]) == result


def test_the_end_of_a_machine() -> None:
    assert json.loads(done_event("hello-ana")) == {"machine": "hello-ana", "done": True}
