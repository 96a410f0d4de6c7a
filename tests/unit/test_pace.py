"""The pace of booting: bounded by what there is, halved when slow, doubled when quick."""

from __future__ import annotations

import math
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.machines.providers.base import Provider
from lab.system.kernel import Kernel
from lab.workflow import pace as module
from lab.workflow.pace import Load, Pace, look_at_host, pace_for
from tests.unit.conftest import FakeProvider

IDLE = Load(processors=2, load=0, free_mb=1e6)
TIMEOUT_S = 300.0
QUICK, SLOW = TIMEOUT_S / 4, TIMEOUT_S / 4 + 1


def pace(*loads: Load, boot_weight: int = 8) -> Pace:
    """A pace that sees these loads one after the other, and the last one from then on."""
    seen = list(loads or [IDLE])
    return Pace(
        boot_weight=boot_weight,
        boot_memory_mb=128,
        timeout_s=TIMEOUT_S,
        look=lambda: seen.pop(0) if len(seen) > 1 else seen[0],
    )


@pytest.mark.parametrize(("boot_weight", "first"), [(8, 16), (1, 2)])
def test_the_first_wave_is_as_large_as_the_processors_make_it(boot_weight: int, first: int) -> None:
    assert pace(boot_weight=boot_weight).next(200) == first


@pytest.mark.parametrize(("load", "first"), [(0.5, 12), (1.0, 8), (9.0, 8)])
def test_processors_that_are_busy_do_not_count_but_for_half_of_all(load: float, first: int) -> None:
    assert pace(Load(processors=2, load=load, free_mb=1e6)).next(200) == first


def test_a_wave_is_never_larger_than_what_the_memory_of_the_moment_allows() -> None:
    begun = pace(IDLE, Load(processors=2, load=0, free_mb=700))
    assert begun.next(200) == 5


def test_a_load_of_lab_s_own_making_holds_nothing_up() -> None:
    begun = pace(IDLE, IDLE, Load(processors=2, load=30, free_mb=1e6))
    assert begun.next(200) == 16
    begun.report(QUICK, late=0)
    assert begun.next(200) == 32


def test_of_slow_machines_no_more_boot_than_the_processors_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy = Load(processors=4, load=2, free_mb=1e6)
    monkeypatch.setattr(module, "look_at_host", lambda: busy)
    provider = cast("Provider", FakeProvider(boot_weight=1, patience=8.0))
    begun = pace_for(provider, timeout_s=TIMEOUT_S)
    waves = []
    for _ in range(4):
        waves.append(begun.next(200))
        begun.report(QUICK, late=0)
    assert waves == [2, 4, 4, 4]


def test_processes_that_wait_for_memory_halve_the_wave() -> None:
    begun = pace(IDLE, Load(processors=2, load=0, free_mb=1e6, pressure_percent=11))
    assert begun.next(200) == 8


@pytest.mark.parametrize(("slowest_s", "late"), [(SLOW, 0), (QUICK, 1)])
def test_after_a_slow_or_late_machine_half_as_many_boot(slowest_s: float, late: int) -> None:
    begun = pace()
    begun.next(200)
    begun.report(slowest_s, late)
    assert begun.next(200) == 8
    begun.report(QUICK, late=0)
    assert begun.next(200) == 16


def test_what_counts_is_how_many_really_booted() -> None:
    begun = pace(IDLE, Load(processors=2, load=0, free_mb=4 * 128), IDLE)
    assert begun.next(200) == 4
    begun.report(SLOW, late=0)
    assert begun.next(200) == 2


def test_one_at_a_time_is_the_least() -> None:
    begun = pace(Load(processors=1, load=50, free_mb=-200, pressure_percent=99), boot_weight=1)
    for _ in range(5):
        assert begun.next(3) == 1
        begun.report(SLOW, late=1)


loads = st.builds(
    Load,
    processors=st.integers(1, 256),
    load=st.floats(0, 1000),
    free_mb=st.floats(-1e5, 1e6) | st.just(math.inf),
    pressure_percent=st.floats(0, 100),
)


@given(
    loads,
    st.integers(1, 16),
    st.lists(st.tuples(loads, st.integers(1, 500), st.floats(0, 1e4), st.integers(0, 9))),
)
def test_there_is_always_a_wave_and_never_more_than_wait(
    first: Load, boot_weight: int, waves: list[tuple[Load, int, float, int]]
) -> None:
    begun = pace(first, *(it[0] for it in waves), boot_weight=boot_weight)
    for _, waiting, slowest_s, late in waves:
        assert 1 <= begun.next(waiting) <= waiting
        begun.report(slowest_s, late)


@given(st.integers(1, 64), st.integers(1, 1024))
def test_it_finds_what_the_host_can_do_and_stays_near(processors: int, most: int) -> None:
    begun = pace(Load(processors=processors, load=0, free_mb=math.inf))
    waves = []
    for _ in range(40):
        waves.append(begun.next(10**6))
        begun.report(SLOW if waves[-1] > most else QUICK, late=0)
    for wave in waves[20:]:
        assert most / 2 < wave <= 2 * most or wave == 1
    assert any(wave <= most for wave in waves[20:22])


def test_a_computer_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "pressure").mkdir()
    for name, text in {
        "meminfo": "MemTotal: 4194304 kB\nMemAvailable: 2097152 kB\n",
        "loadavg": "1.50 0.40 0.30 2/345 6789\n",
        "pressure/memory": "some avg10=12.50 avg60=0.00 avg300=0.00 total=1\n",
    }.items():
        (tmp_path / name).write_text(text)
    seen = look_at_host(Kernel(proc=tmp_path, sys=tmp_path))
    assert (seen.load, seen.free_mb, seen.pressure_percent) == (1.5, 2048 - 512, 12.5)
    assert seen.processors >= 1


def test_a_computer_that_says_nothing_of_itself_holds_nothing_up(tmp_path: Path) -> None:
    seen = look_at_host(Kernel(proc=tmp_path, sys=tmp_path))
    assert (seen.load, seen.free_mb, seen.pressure_percent) == (0, math.inf, 0)
