"""What 500 students cost before anything boots: planning, the Vagrantfile, status; on a stub provider."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

STUDENTS = 500
REPOSITORY = Path(__file__).resolve().parents[1]
# In a process of its own, so that the memory is that of this job alone.
PLAN = """
import json, resource, time
started = time.monotonic()
from pathlib import Path
from lab.workflow.project import open_project
from lab.machines.vagrantfile import render_vagrantfile
project = open_project(Path("labs.yaml").resolve())
text = render_vagrantfile(project.machines, project=project.path, provider=project.provider)
print(json.dumps({
    "seconds": time.monotonic() - started,
    "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "machines": len(project.machines),
    "bytes": len(text),
}))
"""
# Says that each machine of the project runs, as LXC would.
LXC_LS = """#!/bin/sh
echo 'NAME STATE IPV4'
for number in $(seq {students}); do
    printf 'lab-%s-hellopython-s%03d RUNNING 10.0.%d.%d\\n' none "$number" $((3 + number / 250)) $((2 + number % 250))
done
"""


def measure_many(folder: Path) -> None:
    """Measure a class of 500 without booting it."""
    stubs = folder / "stubs"
    stubs.mkdir(parents=True)
    (stubs / "lxc-ls").write_text(LXC_LS.format(students=STUDENTS))
    (stubs / "lxc-ls").chmod(0o755)
    names = ", ".join(f"s{number:03}" for number in range(1, STUDENTS + 1))
    (folder / "labs.yaml").write_text(
        f"defaults: {{box: debian-12, domain: bench.example.org}}\nlabs: {{hellopython: {{students: [{names}]}}}}\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "PATH": f"{stubs}:{os.environ['PATH']}",
    }

    def run(*argv: str) -> str:
        return subprocess.run(
            argv, cwd=folder, env=environment, capture_output=True, text=True, check=True
        ).stdout

    planned = json.loads(run(sys.executable, "-c", PLAN))
    started = time.monotonic()
    status = json.loads(run(sys.executable, "-m", "lab", "status", "--format", "json"))
    seconds = time.monotonic() - started
    found = sum(machine["state"] != "missing" for machine in status["machines"])
    print(f"## {STUDENTS} students, stub provider\n")
    print("| what | seconds | |\n|---|---|---|")
    print(
        f"| read labs.yaml, plan {planned['machines']} machines, render the Vagrantfile "
        f"| {planned['seconds']:.2f} | {planned['megabytes']:.0f} MB at most, {planned['bytes']} bytes |"
    )
    print(f"| lab status | {seconds:.2f} | {found} found |\n")
