"""The Python packages that a bake for other computers brings, for students without internet."""

from __future__ import annotations

from pathlib import Path

from lab.errors import LabError, ProcessError
from lab.machines import ssh
from lab.machines.boxes import catalog
from lab.machines.fleet import Machine, assignments
from lab.system.files import LabFolder, read_json, write_json

_NOTE = "lab-wheels.json"
_TIMEOUT_S = 1800.0
# As `run-steps` runs a class step, with the folder beside: `settings.sh` tells pip of it.
_GATHER = r"""
set -euo pipefail
export LAB_KIT=/var/lib/lab/kit LAB_WHEELS=/var/lib/lab/wheels
export LAB_GUIDE=$LAB_KIT/guide HOME=/root LANG=C.UTF-8 LC_ALL=C.UTF-8
umask 022
while IFS= read -r assignment; do export "${assignment?}"; done </var/lib/lab/environment
rm -rf $LAB_WHEELS
mkdir $LAB_WHEELS
cd /
timeout -k 5 1500 env $VARIABLES bash $LAB_GUIDE/wheels.sh </dev/null >&2
cd $LAB_WHEELS
for wheel in *.whl; do
    [ -e "$wheel" ] || continue
    echo "$wheel"
    # The same as an index (PEP 503): pipenv asks one for digests, whatever pip is told.
    index=simple/$(printf %s "${wheel%%-*}" | tr A-Z_. a-z--)
    mkdir -p "$index"
    digest=$(sha256sum "$wheel" | cut -d ' ' -f 1)
    echo "<a href=\"file://$LAB_WHEELS/$wheel#sha256=$digest\">$wheel</a><br>" >>"$index/index.html"
done
"""


def gather_wheels(machine: Machine, folder: LabFolder, *, log: Path) -> tuple[str, ...]:
    """Run the guide's `wheels.sh` in a machine that has its kit; the names of what it gathered.

    Raises:
        ProcessError: it failed, or took too long.
        ConnectionLost: the machine cannot be reached.
    """
    script = _GATHER.replace("$VARIABLES", assignments(machine.class_variables))
    completed = ssh.run_as_root(folder, machine, script, log=log, timeout_s=_TIMEOUT_S)
    if not completed.ok:
        raise ProcessError(
            f"The wheels of {machine.guide.name} could not be gathered",
            details=completed.tail(),
            hint=f"Mend {machine.guide.wheels}, or what it says is missing; "
            "then run the same command again.",
            log=log,
        )
    return tuple(completed.stdout.split())


def note_wheels(box: catalog.Box, wheels: tuple[str, ...]) -> None:
    """Note with a bake which packages are in it; the note is in its folder, and goes with it.

    Raises:
        LabError: it cannot be written.
    """
    write_json(box.folder / _NOTE, {"version": 1, "wheels": wheels})


def wheels_of(box: catalog.Box) -> tuple[str, ...]:
    """The packages that are in a bake, as far as that was noted."""
    try:
        return tuple(map(str, read_json(box.folder / _NOTE).get("wheels", ())))
    except (LabError, TypeError):
        return ()
