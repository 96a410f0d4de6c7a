"""A class that something happens to again and again: break one thing, `lab up`, `lab verify`, and nothing may be lost.

    python bench/soak.py --cycles 50 --students 4 --seed 7

Real guests on LXC with the guide hellopython. A seed gives the same faults in the same order; what falls into the
middle of an `up` also depends on how busy the host is. `--list` names the faults, `--only` chooses some.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import soak_faults
from soak_class import SoakedClass
from soak_faults import FAULTS

# A process that is being ended has this long to be gone.
_PATIENCE_S = 15.0


@dataclass(frozen=True)
class Cycle:
    """What became of one cycle; `wrong` says what should not be, a sentence each."""

    number: int
    fault: str
    did: str
    up_s: float
    verify_s: float
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        result = "ok" if not self.wrong else "FAILED: " + "; ".join(self.wrong)
        took = f"up {self.up_s:5.1f} s  verify {self.verify_s:5.1f} s"
        return f"{self.number:3}  {self.fault:22} {took}  {result}   [{self.did}]"


@dataclass
class Soak:
    """A class through its cycles."""

    soaked: SoakedClass
    chance: random.Random
    cycles: list[Cycle] = field(default_factory=list)

    def begin(self) -> None:
        """A class that is well, with each student's own work on their machine."""
        done = self.soaked.lab("up")
        if done.returncode:
            raise SystemExit(f"the class did not come up at all:\n{done.stdout}{done.stderr}")
        for login in self.soaked.students:
            self.soaked.write_work(login)

    def run(self, number: int, fault: str) -> Cycle:
        """One cycle: the fault, what lab makes of it, and what there is then."""
        harm = FAULTS[fault](self.soaked, self.chance)
        wrong = list(harm.wrong)
        started = time.monotonic()
        up = self.soaked.lab("up", "--format", "json")
        up_s = time.monotonic() - started
        if up.returncode:
            wrong.append(f"up ended with {up.returncode}: {why_not(up)}")
        started = time.monotonic()
        wrong += self.not_passed()
        verify_s = time.monotonic() - started
        wrong += self.lost_work(harm.destroyed)
        wrong += self.left_behind()
        wrong += damaged_files(self.soaked.folder)
        cycle = Cycle(number, fault, harm.did, up_s, verify_s, tuple(wrong))
        self.cycles.append(cycle)
        if wrong:
            self.mend()
        return cycle

    def not_passed(self) -> list[str]:
        """Who has not passed everything."""
        done = self.soaked.lab("verify", "--format", "json")
        try:
            labs = json.loads(done.stdout)["labs"]
        except ValueError:
            return [f"verify ended with {done.returncode}: {last_words(done.stderr)}"]
        found = {student["login"]: student for lab in labs for student in lab["students"]}
        wrong = [f"{login} is missing" for login in self.soaked.students if login not in found]
        for login, student in found.items():
            if student["outcome"] != "passed":
                checks = [it["id"] for it in student["checks"] if it["outcome"] != "passed"]
                wrong.append(f"{login} {student['outcome']}: {', '.join(checks[:3])}")
        return wrong or ([] if done.returncode == 0 else [f"verify ended with {done.returncode}"])

    def lost_work(self, destroyed: Sequence[str]) -> list[str]:
        """Whose work is gone, though their machine was not destroyed; the others begin anew."""
        wrong = []
        for login in self.soaked.students:
            try:
                there = self.soaked.has_work(login)
            except OSError as error:
                wrong.append(str(error))
                continue
            if not there:
                if login not in destroyed:
                    wrong.append(f"the work of {login} is lost")
                self.soaked.write_work(login)
        return wrong

    def left_behind(self) -> list[str]:
        """Processes that lab began and that still run, and containers that are nobody's."""
        deadline = time.monotonic() + _PATIENCE_S
        while (left := self.soaked.processes()) and time.monotonic() < deadline:
            time.sleep(0.2)
        wrong = [f"process {pid} is left: {line[:80]}" for pid, line in left.items()]
        wanted = {self.soaked.container(login) for login in self.soaked.students}
        found = set(self.soaked.containers())
        wrong += [f"container {name} is left" for name in sorted(found - wanted)]
        return wrong + [f"container {name} is missing" for name in sorted(wanted - found)]

    def mend(self) -> None:
        """Begin the next cycle with a class that is well, whatever that takes."""
        self.soaked.mend_by_hand()
        if self.soaked.lab("up").returncode:
            self.soaked.lab("destroy", "--yes")
            self.begin()
        for sentence in self.lost_work(()):
            print(f"     while mending: {sentence}", flush=True)

    def summary(self) -> str:
        """The figures of all cycles."""
        failed = [cycle for cycle in self.cycles if cycle.wrong]
        lines = [
            f"{len(self.cycles) - len(failed)} of {len(self.cycles)} cycles well, "
            f"{len({cycle.fault for cycle in self.cycles})} kinds of fault, "
            f"{len(self.soaked.students)} students"
        ]
        for what in ("up", "verify"):
            seconds = [getattr(cycle, f"{what}_s") for cycle in self.cycles]
            lines.append(
                f"{what}: median {statistics.median(seconds):.1f} s, longest {max(seconds):.1f} s"
            )
        return "\n".join([*lines, *(f"FAILED: {cycle}" for cycle in failed)])


def damaged_files(folder: Path) -> list[str]:
    """JSON of lab's that is none."""
    wrong = []
    for path in sorted((folder / ".lab").rglob("*.json")):
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            wrong.append(f"{path} is damaged: {error}")
    return wrong


def why_not(up: subprocess.CompletedProcess[str]) -> str:
    """What an `up --format json` that did not go well says of that."""
    try:
        rows = json.loads(up.stdout)["machines"]
    except ValueError:
        return last_words(up.stderr)
    said = (
        f"{row['login']}: {row['message']} {' '.join(row['tail'][-2:])}"
        for row in rows
        if not row["ok"]
    )
    return " / ".join(said)


def last_words(text: str) -> str:
    """The last lines that say something, on one."""
    return " / ".join(line.strip() for line in text.splitlines() if line.strip())[-400:]


def decks(names: Sequence[str], chance: random.Random, count: int) -> list[str]:
    """So many faults at random, none a second time before all others had their turn."""
    drawn: list[str] = []
    while len(drawn) < count:
        drawn += chance.sample(names, len(names))
    return drawn[:count]


def main() -> int:
    """Soak a class; 1 when something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--students", type=int, default=4)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where the class is; a new folder otherwise")
    parser.add_argument("--only", help="the faults to choose from, by commas")
    parser.add_argument("--list", action="store_true", help="name the faults")
    parser.add_argument("--stop", action="store_true", help="end at the first failure")
    parser.add_argument("--keep", action="store_true", help="leave the machines at the end")
    options = parser.parse_args()
    if options.list:
        print(soak_faults.listing())
        return 0
    names = options.only.split(",") if options.only else list(FAULTS)
    if unknown := set(names) - set(FAULTS):
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    # A seed for the order and one for each cycle: what a cycle draws does not change the next one.
    order = decks(names, random.Random(options.seed), options.cycles)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="lab-soak-"))
    soaked = SoakedClass.make(folder.resolve(), options.students)
    soak = Soak(soaked, random.Random())
    print(f"{options.cycles} cycles, seed {options.seed}, {folder}", flush=True)
    try:
        soak.begin()
        for number, fault in enumerate(order, start=1):
            soak.chance.seed(f"{options.seed}/{number}")
            cycle = soak.run(number, fault)
            print(cycle, flush=True)
            if cycle.wrong and options.stop:
                break
    finally:
        if not options.keep:
            soaked.destroy()
    print(soak.summary())
    return 1 if any(cycle.wrong for cycle in soak.cycles) else 0


if __name__ == "__main__":
    sys.exit(main())
