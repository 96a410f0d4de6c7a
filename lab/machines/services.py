"""What of a guest's services does not run: noted in the guest before it is saved, asked afterwards.

Services are systemd's units, and supervisor's programs where there is a supervisor.
"""

from __future__ import annotations

from lab.errors import MachineError
from lab.machines import ssh
from lab.machines.fleet import Machine
from lab.system.files import LabFolder

_NOTE_TIMEOUT_S = 30.0
# How long a guest that lets lab in may still take to start all that it starts.
_START_S = 120.0
# On the guest's own disk, so that each snapshot has the note of its moment.
_DOWN = r"""
note=/var/lib/lab/down
mkdir -p /var/lib/lab
units() { systemctl list-units --state=failed --plain --no-legend --no-pager | awk '{ print $1 }'; }
programs() { ! command -v supervisorctl >/dev/null || supervisorctl status; }
down() { { units; programs | awk '$2 != "RUNNING" { print $1 }'; } 2>/dev/null | sort; }
"""
_NOTE = r"""
down >$note.new
mv $note.new $note
sync
"""
# The loop, as the systemd of Ubuntu 18.04 does not wait.
_ASK = r"""
busy() {
    case $(systemctl is-system-running 2>/dev/null) in initializing | starting) return 0 ;; esac
    programs 2>/dev/null | grep -qE '^\S+ +(STARTING|BACKOFF) '
}
while busy; do
    if [ "$SECONDS" -ge "$limit" ]; then
        echo "late $(systemctl list-jobs --no-legend 2>/dev/null | awk '{ print $2 }' | xargs)"
        break
    fi
    sleep 0.2
done
[ -e $note ] || : >$note
down | comm -23 - $note | sed 's/^/down /'
"""


def note_what_is_down(machine: Machine, folder: LabFolder) -> None:
    """Have a guest that runs note what of it does not, and write to its disk what it holds back.

    Raises:
        ConnectionLost: the guest cannot be reached.
        ProcessError: it does not answer in time.
    """
    ssh.run_as_root(folder, machine, _DOWN + _NOTE, timeout_s=_NOTE_TIMEOUT_S)


def wait_for_services(machine: Machine, folder: LabFolder) -> tuple[str, ...]:
    """Wait until a guest has started all that it starts.

    Args:
        machine: it.
        folder: the project's `.lab/`.

    Returns:
        What does not run, but for what did not when the guest's disk was saved.

    Raises:
        ConnectionLost: the guest cannot be reached.
        ProcessError: it does not answer in time.
        MachineError: it cannot tell, or has not started everything in time.
    """
    limit_s = round(_START_S * machine.patience)
    script = f"limit={limit_s}\n{_DOWN}{_ASK}"
    told = ssh.run_as_root(folder, machine, script, timeout_s=_START_S + 60)
    if not told.ok:
        raise MachineError(
            f"{machine.name} does not say how its services are", details=told.tail(3)
        )
    words = [line.partition(" ") for line in told.stdout.splitlines()]
    late = [rest for word, _, rest in words if word == "late"]
    if late:
        raise MachineError(
            f"{machine.name} has not started all of its services in {limit_s} s", details=late[0]
        )
    return tuple(rest for word, _, rest in words if word == "down")
