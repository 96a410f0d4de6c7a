"""Vagrant, LXC and SSH as far as lab can tell: machines are files in a folder.

Installed on PATH under the names of the real programs. `LAB_STUB_WORLD` is the folder: `guests/NAME` holds a guest's
state and address, `steps/NAME` the steps that it has done, `calls` what was run, and `faults.json` what shall go wrong.
"""

import json
import os
import re
import shlex
import shutil
import signal
import sys
import tarfile
import time
import uuid
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
        "lxc-destroy": lxc_destroy,
        "lxc-stop": lambda: guest(WORDS[1]).write_text("STOPPED -"),
        "lxc-info": lambda: print(guest(WORDS[1]).read_text().split()[0]),
        "lxc-freeze": lambda: turn("RUNNING", "FROZEN"),
        "lxc-unfreeze": lambda: turn("FROZEN", "RUNNING"),
        "ssh": ssh,
    }[PROGRAM]()


def go_wrong(
    *,
    code: int = 1,
    stdout: str = "",
    stderr: str = "",
    raw_hex: str = "",
    flood_mb: int = 0,
    hang: bool = False,
    kill: bool = False,
    deaf: bool = False,
) -> None:
    if deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range(flood_mb):
        # What is no UTF-8, too.
        os.write(1, b"==> hello-ana: \xff\xfe" + b"x" * 1_000_000 + b"\n")
    print(stdout, end="", flush=True)
    os.write(1, bytes.fromhex(raw_hex))
    print(stderr, end="", file=sys.stderr, flush=True)
    if hang:
        (WORLD / "hanging").write_text(str(os.getpid()))
        time.sleep(60)
    if kill:
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(code)


def guest(name: str) -> Path:
    return WORLD / "guests" / name


def turn(before: str, after: str) -> None:
    state = guest(WORDS[1]).read_text()
    guest(WORDS[1]).write_text(state.replace(before, after))


def lxc_destroy() -> None:
    if not guest(WORDS[-1]).exists():
        sys.exit("Container is not defined")
    remove(WORDS[-1])


def remove(name: str) -> None:
    guest(name).unlink(missing_ok=True)
    shutil.rmtree(WORLD / "lxc" / name, ignore_errors=True)


def steps_of(machine: str) -> Path:
    """Where the steps are noted that a machine has done; those of the machine to bake on as `bake`."""
    if called(machine) == "bake":
        return WORLD / "steps" / "bake"
    # A scratch machine is called as its container is.
    own = WORLD / "lxc" / machine
    folder = own if own.is_dir() else next((WORLD / "lxc").glob(f"lab-*-{machine}"))
    return folder / "delta" / "steps"


def called(machine: str) -> str:
    return "bake" if machine.startswith("labbake-") else machine


def setting(machine: str, key: str) -> str:
    """What the Vagrantfile here says of a machine."""
    text = Path("Vagrantfile").read_text()
    found = re.search(rf"name: '{machine}',.*?{key}: '([^']*)'", text, re.DOTALL)
    return found[1] if found else sys.exit(f"there is no machine {machine}")


def container(machine: str) -> str:
    return setting(machine, "container")


def create(machine: str) -> None:
    """A fresh machine has done no step, or those of the bake that it is a clone of."""
    folder = WORLD / "lxc" / container(machine)
    (folder / "delta").mkdir(parents=True, exist_ok=True)
    if not (guest(container(machine)).exists() and steps_of(machine).exists()):
        baked = WORLD / "steps" / setting(machine, "box").replace("/", "-")
        steps_of(machine).write_text(baked.read_text() if baked.exists() else "")
    guest(container(machine)).write_text(f"RUNNING {setting(machine, 'address')}")
    (folder / "config").write_text(
        f"lxc.net.0.ipv4.address = {setting(machine, 'address')}\n"
        f"lxc.rootfs.path = overlay:/root:{folder}/delta\n"
    )
    if not (folder / "seeded").exists():
        (folder / "seeded").write_text(f"{uuid.uuid4()}\n")
    note = Path(".vagrant/machines") / machine / "lxc" / "id"
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(container(machine))
    note.with_name("vagrant_cwd").write_text(str(Path.cwd()))


def add_box(name: str, source: str) -> None:
    folder = Path(os.environ["VAGRANT_HOME"], "boxes", name.replace("/", "-VAGRANTSLASH-"), "0/lxc")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.json").write_text('{"provider": "lxc"}')
    if Path(source).exists():
        with tarfile.open(source) as box:
            box.extractall(folder)
    if name.startswith("lab-bake/") and (WORLD / "steps" / "bake").exists():
        (WORLD / "steps" / "bake").rename(WORLD / "steps" / name.replace("/", "-"))


def vagrant() -> None:
    if WORDS[:2] == ["box", "add"]:
        add_box(WORDS[2], WORDS[3])
        return
    read_machine_index()
    names = [word for word in WORDS[1:] if not word.startswith("-")]
    errors = {}
    for name in names:
        if WORDS[0] == "up" and name in FAULTS.get("boot", {}):
            errors[name] = FAULTS["boot"][name]
        elif WORDS[0] == "up":
            print(f"==> {name}: Importing base box...")
            create(name)
            print(f"==> {name}: Waiting for machine to boot.", flush=True)
        elif WORDS[0] == "halt":
            guest(container(name)).write_text("STOPPED -")
        elif WORDS[0] == "destroy":
            remove(container(name))
    for name, why in errors.items():
        print(
            f"An error occurred while executing the action on the '{name}'\n"
            f"machine. Please handle this error then try again:\n\n{why}\n",
            file=sys.stderr,
        )
    sys.exit(1 if errors else 0)


def read_machine_index() -> None:
    """What Vagrant does with its list of machines before anything else; empty is none to it."""
    index = Path(os.environ["VAGRANT_HOME"], "data", "machine-index", "index")
    try:
        json.loads((index.exists() and index.read_text()) or "null")
    except ValueError:
        sys.exit(
            "The machine index which stores all required information about\n"
            "running Vagrant environments has become corrupt. This is usually\n"
            f"caused by external tampering of the Vagrant data folder.\n\nPath: {index}"
        )


def ssh() -> None:
    name = next(word for word in WORDS[2:] if not word.startswith("-"))
    if name in FAULTS.get("unreachable", []):
        words = FAULTS.get("words", "ssh: connect to host 10.0.3.1 port 22: No route to host")
        print(words, file=sys.stderr)
        sys.exit(255)
    command = WORDS[-1]
    if "LAB_LOOK=1" in command:
        look(name, command)
    elif "bash $kit/run-steps" in command:
        run_steps(name, command)
    elif "while read -r limit size" in command:
        run_here(command)
    elif "is-system-running" in command:
        print(FAULTS.get("services", ""))
    elif "/var/lib/lab/down" in command:
        pass
    else:
        print("ssh", *WORDS[2:])
        sys.exit(FAULTS.get("remote", 0))


def run_steps(name: str, command: str) -> None:
    """What provision/run-steps says, without running anything."""
    sys.stdin.buffer.read()
    done = steps_of(name)
    known = done.read_text().split() if done.exists() else []
    for step, digest in re.findall(r" ([-a-z0-9_]+):([0-9a-f]{16})", command):
        if f"{step}:{digest}" in known and "LAB_FORCE=1" not in command:
            print("kept", step)
            continue
        print("start", step, flush=True)
        if FAULTS.get("steps", {}).get(called(name)) == step:
            words = FAULTS.get("words", f"E: {step} does not work today")
            sys.stderr.buffer.write(words.encode("utf-8", "surrogatepass") + b"\n")
            print("ended", step, 9, "0.1")
            sys.exit(9)
        known.append(f"{step}:{digest}")
        done.write_text(" ".join(known))
        print("ended", step, 0, "0.1")


def look(name: str, command: str) -> None:
    """What provision/run-steps says when it only looks."""
    sys.stdin.buffer.read()
    done = steps_of(name)
    known = done.read_text().split() if done.exists() else []
    for step, digest in re.findall(r" ([-a-z0-9_]+):([0-9a-f]{16})", command):
        stands = f"{step}:{digest}" in known
        reason = "changed" if any(it.startswith(f"{step}:") for it in known) else "new"
        if stands and FAULTS.get("altered", {}).get(name) == step:
            stands, reason = False, "broken"
        print(f"kept {step}" if stands else f"todo {step} {reason}")


def run_here(command: str) -> None:
    """lab's shell, with this computer as the guest and nothing written outside of the test's folder."""
    script = shlex.split(command)[-1].replace("/run/lab", f"{WORLD}/run")
    if drops := FAULTS.get("drops"):
        # The connection breaks while the command that holds these words is under way.
        gone = "echo 'client_loop: send disconnect: Broken pipe' >&2; kill -9 $$"
        script = script.replace(
            "  LC_ALL=C.UTF-8", f"  case $command in *{drops}*) {gone};; esac\n  LC_ALL=C.UTF-8"
        )
    os.execvp("bash", ["bash", "-c", script])


main()
