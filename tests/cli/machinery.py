"""Vagrant, LXC and SSH as far as lab can tell: machines are files in a folder.

Installed on PATH under the names of the real programs. `LAB_STUB_WORLD` is the folder: `guests/NAME` holds a guest's
state and address, `steps/NAME` the steps that it has done, `calls` what was run, and `faults.json` what shall go wrong.
"""

import json
import os
import re
import shlex
import signal
import sys
import time
from pathlib import Path

WORLD = Path(os.environ["LAB_STUB_WORLD"])
FAULTS = json.loads((WORLD / "faults.json").read_text())
PROGRAM = Path(sys.argv[0]).name
WORDS = sys.argv[1:]


def main() -> None:
    with (WORLD / "calls").open("a") as calls:
        calls.write(json.dumps([PROGRAM, *WORDS]) + "\n")
    fault = FAULTS.get(PROGRAM) or FAULTS.get(f"{PROGRAM} {WORDS[0] if WORDS else ''}".strip())
    if fault:
        go_wrong(**fault)
    {
        "vagrant": vagrant,
        "lxc-config": lambda: print(WORLD / "lxc"),
        "lxc-create": lambda: None,
        "lxc-destroy": lambda: guest(WORDS[-1]).unlink(),
        "ssh": ssh,
    }[PROGRAM]()


def go_wrong(
    *, code: int = 1, stdout: str = "", stderr: str = "", hang: bool = False, kill: bool = False
) -> None:
    print(stdout, end="", flush=True)
    print(stderr, end="", file=sys.stderr, flush=True)
    if hang:
        (WORLD / "hanging").write_text(str(os.getpid()))
        time.sleep(60)
    if kill:
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(code)


def guest(name: str) -> Path:
    return WORLD / "guests" / name


def container(machine: str) -> str:
    data = json.loads(Path(".lab/state/project.json").read_text())
    return f"lab-{data['id']}-{machine}"


def vagrant() -> None:
    names = [word for word in WORDS[1:] if not word.startswith("-")]
    errors = {}
    for number, name in enumerate(names):
        if WORDS[0] == "up" and name in FAULTS.get("boot", {}):
            errors[name] = FAULTS["boot"][name]
        elif WORDS[0] == "up":
            print(f"==> {name}: Importing base box...")
            guest(container(name)).write_text(f"RUNNING 10.0.3.{10 + number}")
            note = Path(".vagrant/machines") / name / "lxc" / "id"
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(container(name))
            print(f"==> {name}: Machine booted and ready!", flush=True)
        elif WORDS[0] == "halt":
            guest(container(name)).write_text("STOPPED -")
        elif WORDS[0] == "destroy":
            guest(container(name)).unlink(missing_ok=True)
    for name, why in errors.items():
        print(
            f"An error occurred while executing the action on the '{name}'\n"
            f"machine. Please handle this error then try again:\n\n{why}\n",
            file=sys.stderr,
        )
    sys.exit(1 if errors else 0)


def ssh() -> None:
    name = next(word for word in WORDS[2:] if not word.startswith("-"))
    if name in FAULTS.get("unreachable", []):
        print("ssh: connect to host 10.0.3.1 port 22: No route to host", file=sys.stderr)
        sys.exit(255)
    command = WORDS[-1]
    if "bash $run" in command:
        run_steps(name, command)
    elif "while read -r limit size" in command:
        run_here(command)
    elif command.endswith("'exit 0'"):
        pass
    else:
        print("ssh", *WORDS[2:])
        sys.exit(FAULTS.get("remote", 0))


def run_steps(name: str, command: str) -> None:
    """What provision/run-steps says, without running anything."""
    sys.stdin.buffer.read()
    done = WORLD / "steps" / name
    known = done.read_text().split() if done.exists() else []
    for step, digest in re.findall(r" ([-a-z0-9_]+):([0-9a-f]{16})", command):
        if f"{step}:{digest}" in known and "LAB_FORCE=1" not in command:
            print("kept", step)
            continue
        print("start", step, flush=True)
        if FAULTS.get("steps", {}).get(name) == step:
            print(f"E: {step} does not work today", file=sys.stderr)
            print("ended", step, 9, "0.1")
            sys.exit(9)
        known.append(f"{step}:{digest}")
        done.write_text(" ".join(known))
        print("ended", step, 0, "0.1")


def run_here(command: str) -> None:
    """lab's shell, with this computer as the guest and nothing written outside of the test's folder."""
    script = shlex.split(command)[-1].replace("/run/lab", f"{WORLD}/run")
    os.execvp("bash", ["bash", "-c", script])  # noqa: S606, S607


main()
