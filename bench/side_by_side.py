"""lab beside what its users would otherwise run, both sides in one go; see bench/run.

Parts: `machines` (a class from nothing to an app that answers), `checks`, `commands`, `many` (500 students), and when asked
for `full` (two full machines of libvirt).
Prints Markdown. Every figure is the wall time of whole commands, in seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import raw_lxc
from five_hundred import measure_many

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
BOX = "debian-12"
DOMAIN = "bench.example.org"
LAB = [sys.executable, "-m", "lab"]
PARTS = ("machines", "checks", "commands", "many")
# Measured only when it is asked for: emulated machines take twenty minutes.
ON_DEMAND = ("full",)
CHECKED = 12
# Which of the guide's files with checks each set leaves out. With those that stop, start and reboot a machine, stock
# testinfra fails: its next connection meets a machine that still boots, or a program that still starts.
CHECK_SETS = {
    "without those that stop, start and reboot": ("test_program_stops_and_starts.py",),
}


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1,4,12,30", help="students in a class, by commas")
    parser.add_argument(
        "--plain-to", type=int, default=30, help="the largest class for the plain Vagrantfile"
    )
    parser.add_argument(
        "--only",
        default=",".join(PARTS),
        help=f"the parts, by commas; also {', '.join(ON_DEMAND)}",
    )
    options = parser.parse_args()
    sizes = [int(word) for word in options.sizes.split(",")]
    parts = options.only.split(",")
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, box {BOX}, provider lxc\n")
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as name:
        folder = Path(name)
        run([*LAB, "box", "build", BOX], folder)
        if "machines" in parts:
            measure_machines(folder, sizes, plain_to=options.plain_to)
        if "checks" in parts or "commands" in parts:
            measure_checks_and_commands(folder, parts)
        if "many" in parts:
            measure_many(folder / "many")
        if "full" in parts:
            # It imports what is in this file.
            from full_machines import measure_full_machines

            measure_full_machines(folder / "full")


@dataclass(frozen=True)
class Site:
    """A student's site: where it answers, and by which name."""

    address: str
    vhost: str


def measure_machines(folder: Path, sizes: Sequence[int], *, plain_to: int) -> None:
    """From no machine to an app that answers, for classes of several sizes."""
    print("## A class from nothing to apps that answer\n")
    print(
        "| students | plain Vagrantfile | lab, cold | plain / cold | lab, warm | plain / warm | raw LXC | warm / raw "
        "| lab up again |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    with raw_lxc.plain_box(folder / "box", BOX):
        for size in sizes:
            students = [f"s{number:02}" for number in range(1, size + 1)]
            plain = math.nan
            if size <= plain_to:
                plain = plain_vagrant(folder / f"plain-{size}", students)
            cold, warm, again, raw = lab_and_raw(folder / f"lab-{size}", students)
            print(
                f"| {size} | {plain:.1f} | {cold:.1f} | {plain / cold:.1f} | {warm:.1f} | {plain / warm:.1f} "
                f"| {raw:.1f} | {warm / raw:.1f} | {again:.2f} |",
                flush=True,
            )
    print()


def plain_vagrant(folder: Path, students: Sequence[str]) -> float:
    """Seconds of a hand-written Vagrantfile's `vagrant up`, until the last app answers."""
    shutil.copytree(HERE / "plain", folder)
    environment = {"STUDENTS": " ".join(students), "VAGRANT_DEFAULT_PROVIDER": "lxc"}
    started = time.monotonic()
    try:
        run(["vagrant", "up"], folder, environment)
        sites = [
            Site(
                raw_lxc.address_of((folder / f".vagrant/machines/{student}/lxc/id").read_text()),
                f"hellopython.{student}.{DOMAIN}",
            )
            for student in students
        ]
        wait_for_sites(lambda: sites, len(students))
        return time.monotonic() - started
    finally:
        run(["vagrant", "destroy", "--force"], folder, environment)


def lab_and_raw(folder: Path, students: Sequence[str]) -> tuple[float, float, float, float]:
    """Seconds of `lab up` cold, warm, and when there is nothing to do; and of LXC alone on clones of such a machine."""
    with lab_class(folder, students):
        run([*LAB, "box", "prune"], folder)
        cold = lab_up(folder, students)
        run([*LAB, "destroy", "--yes"], folder)
        run([*LAB, "bake"], folder)
        warm = lab_up(folder, students)
        again = seconds_of(lambda: run([*LAB, "up"], folder))
        container = lab_containers(folder)[0]
        with raw_lxc.finished_root(container) as root:
            run([*LAB, "destroy", "--yes"], folder)
            vhost = f"hellopython.{students[0]}.{DOMAIN}"
            with raw_lxc.clones(root, len(students)) as clones:
                started = time.monotonic()
                clones.start()
                wait_for_sites(
                    lambda: [Site(address, vhost) for address in clones.addresses.values()],
                    len(students),
                )
                raw = time.monotonic() - started
    return cold, warm, again, raw


def lab_up(folder: Path, students: Sequence[str], limit_s: float = 300) -> float:
    """Seconds of `lab up`, until the last app answers."""
    started = time.monotonic()
    said = json.loads(run([*LAB, "up", "--format", "json"], folder))
    addresses = {it["login"]: it["ip"] for it in said["machines"]}
    wait_for_sites(
        lambda: [Site(addresses[it], f"hellopython.{it}.{DOMAIN}") for it in students],
        len(students),
        limit_s=limit_s,
    )
    return time.monotonic() - started


def measure_checks_and_commands(folder: Path, parts: Sequence[str]) -> None:
    """`lab verify` beside stock testinfra, and commands that boot nothing beside Vagrant's."""
    students = [f"s{number:02}" for number in range(1, CHECKED + 1)]
    with lab_class(folder / "checked", students) as project:
        run([*LAB, "up"], project)
        if "checks" in parts:
            print(f"## The guide's checks on {CHECKED} machines\n")
            print(
                "| checks | lab verify | stock, one by one | stock / lab | xdist -n 4 | xdist / lab |"
            )
            print("|---|---|---|---|---|---|")
            for name, left_out in CHECK_SETS.items():
                guide = project / "provision/hellopython"
                shutil.rmtree(guide, ignore_errors=True)
                shutil.copytree(
                    REPOSITORY / "provision/hellopython",
                    guide,
                    ignore=shutil.ignore_patterns("__pycache__", *left_out),
                )
                ours = seconds_of(lambda: run([*LAB, "verify"], project))
                at_once = seconds_of(lambda guide=guide: stock_testinfra(guide, "-n", "4"))
                one_by_one = seconds_of(lambda guide=guide: stock_testinfra(guide))
                print(
                    f"| {name} | {ours:.1f} | {one_by_one:.1f} | {one_by_one / ours:.1f} "
                    f"| {at_once:.1f} | {at_once / ours:.1f} |",
                    flush=True,
                )
            print()
        if "commands" in parts:
            print(f"## Commands that boot nothing, {CHECKED} machines (the quickest of five)\n")
            print("| command | seconds | against lab |\n|---|---|---|")
            quick: dict[str, float] = {}
            for name, command in {
                "lab --help": [*LAB, "--help"],
                "lab status": [*LAB, "status"],
                "vagrant status": ["vagrant", "status"],
                "lab up": [*LAB, "up"],
                "vagrant up": ["vagrant", "up"],
            }.items():
                quick[name] = min(
                    seconds_of(lambda command=command: run(command, project)) for _ in range(5)
                )
                ours = quick.get(name.replace("vagrant", "lab"), 0.0)
                ratio = f"{quick[name] / ours:.1f}" if name.startswith("vagrant") else ""
                print(f"| {name} | {quick[name]:.2f} | {ratio} |", flush=True)
            print()


def stock_testinfra(guide: Path, *options: str) -> None:
    """Run a guide's checks with testinfra's own ssh backend; every one of them must pass."""
    project = guide.parents[1]
    tests = project / "stock"
    shutil.rmtree(tests, ignore_errors=True)
    shutil.copytree(guide / "checks", tests / "checks")
    shutil.copytree(guide / "constraints", tests / "constraints")
    shutil.copy(HERE / "stock/conftest.py", tests / "checks")
    status = json.loads(run([*LAB, "status", "--format", "json"], project))
    known = {
        it["machine"]: {
            "login": it["login"],
            "address": it["ip"],
            "vhost": f"hellopython.{it['login']}.{DOMAIN}",
            "vars": {"python": "3.11"},
        }
        for it in status["machines"]
    }
    (tests / "students.json").write_text(json.dumps(known), encoding="utf-8")
    hosts = ",".join(f"ssh://{machine}?sudo=true" for machine in known)
    run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "checks"),
            *(f"--hosts={hosts}", f"--ssh-config={project}/.lab/ssh/config", *options),
            *(["--dist", "loadgroup"] if options else []),
        ],
        tests,
        {"STUDENTS": str(tests / "students.json")},
    )


@contextlib.contextmanager
def lab_class(folder: Path, students: Sequence[str], provider: str = "lxc") -> Iterator[Path]:
    """A project of lab's in a new folder; its machines are gone when the block ends."""
    folder.mkdir(parents=True)
    (folder / "labs.yaml").write_text(
        f"defaults: {{provider: {provider}, box: {BOX}, domain: {DOMAIN}, guest: {{ca_certificates: host}}}}\n"
        f"labs: {{hellopython: {{students: [{', '.join(students)}]}}}}\n",
        encoding="utf-8",
    )
    try:
        yield folder
    finally:
        run([*LAB, "destroy", "--yes"], folder)


def lab_containers(folder: Path) -> list[str]:
    """What the provider calls a project's machines."""
    return sorted(path.read_text() for path in folder.glob(".vagrant/machines/*/lxc/id"))


def wait_for_sites(sites: Callable[[], Sequence[Site]], count: int, limit_s: float = 300) -> None:
    """Wait until so many sites answer 200.

    Raises:
        TimeoutError: one did not in time.
    """
    deadline = time.monotonic() + limit_s
    answering: set[Site] = set()
    while len(answering) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"only {len(answering)} of {count} sites answer")
        waiting = [site for site in sites() if site not in answering]
        if waiting:
            with ThreadPoolExecutor(8) as pool:
                answering |= {
                    site for site, ok in zip(waiting, pool.map(answers, waiting), strict=True) if ok
                }
        time.sleep(0.1)


def answers(site: Site) -> bool:
    """Whether a student's app answers with 200."""
    connection = http.client.HTTPConnection(site.address, 80, timeout=2)
    try:
        connection.request("GET", "/", headers={"Host": site.vhost})
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def run(argv: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a command in a folder, and return what it printed.

    Raises:
        RuntimeError: it failed; with its last lines.
    """
    completed = subprocess.run(
        argv,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "LAB_WAIT": "60s", **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode:
        raise RuntimeError(f"{argv}\n{completed.stdout[-3000:]}\n{completed.stderr[-3000:]}")
    return completed.stdout


def seconds_of(job: Callable[[], object]) -> float:
    """How long a job takes."""
    started = time.monotonic()
    job()
    return time.monotonic() - started


if __name__ == "__main__":
    main()
