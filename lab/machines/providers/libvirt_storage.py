"""Where libvirt's guests are on the disk: base images, overlays, and what is one guest's own.

All of it is root's, below one folder: the storage pool `lab` in `images`, and in `guests` a folder
for each guest, with its seed disc and its identity.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from lab.errors import HostError, ProcessError
from lab.machines.boxes import catalog
from lab.machines.boxes.seed_disc import write_seed_disc
from lab.machines.providers import libvirt_virsh as virsh
from lab.machines.providers.base import Wanted
from lab.system import crash, process

POOL = "lab"
ROOT = Path("/var/lib/libvirt/lab")
IMAGES = ROOT / "images"
GUESTS = ROOT / "guests"
SEED_NAME = "seed.iso"
_PLACE_S = 900.0
_TRIES = 20
_WAIT_S = 0.5
# What vagrant-libvirt calls the base image of a box.
_BASE_IMAGES = "*_vagrant_box_image_*.img"
_POOL_XML = f"<pool type='dir'><name>{POOL}</name><target><path>{IMAGES}</path></target></pool>"

# ROOT. Closed to all but root; the hypervisor's own user gets through to the files that libvirt
# hands to it.
_MAKE_FOLDERS = """
umask 077
mkdir -p "$1/images" "$1/guests" "$1/incoming"
chmod 0711 "$1" "$1/images" "$1/guests"
"""

# ROOT NAME SOURCE SHA256. Under its last name an image is always whole: who comes at the same time
# waits, and what one that was killed has left is written anew. What came to nothing does not stay:
# it may hold the last free space. `place` looks at what `cp` says of that, in English.
_PLACE = """
set -eu
umask 077
root=$1 name=$2 source=$3 digest=$4
mkdir -p "$root/images" "$root/incoming"
exec 9>"$root/incoming/lock"
flock 9
[ ! -e "$root/images/$name" ] || exit 0
part=$root/incoming/image.part
trap 'rm -f "$part"' EXIT
trap 'exit 1' HUP INT TERM
rm -f "$part"
LC_ALL=C cp --reflink=auto --sparse=auto -- "$source" "$part"
if [ -n "$digest" ] && ! echo "$digest  $part" | sha256sum --check --status; then
  exit 9
fi
sync "$part"
mv -- "$part" "$root/images/$name"
"""
_DAMAGED = 9

# GUESTS NAME ...
_KEEP = """
umask 077
guests=$1
shift
for name; do
  mkdir -p "$guests/$name"
  chmod 0711 "$guests/$name"
  touch "$guests/$name"
done
"""
_KEPT_FOR_MIN = 24 * 60

# GUESTS STAGED NEW ...: seed discs from a folder, each called after its guest; and what tells a new
# guest from all others that had its name.
_TAKE_SEEDS = """
set -eu
umask 077
guests=$1 staged=$2
shift 2
for disc in "$staged"/*.iso; do
  [ -e "$disc" ] || continue
  name=${disc##*/}
  own=$guests/${name%.iso}
  mkdir -p "$own"
  chmod 0711 "$own"
  cp -- "$disc" "$own/seed.iso.new"
  mv -- "$own/seed.iso.new" "$own/seed.iso"
done
for name; do
  cat /proc/sys/kernel/random/uuid >"$guests/$name/identity.new"
  mv -- "$guests/$name/identity.new" "$guests/$name/identity"
done
"""

# ROOT. Base images, and what overlays and copies of overlays are clones of.
_ROOTS = f"""
cd "$1/images" 2>/dev/null || exit 0
for image in {_BASE_IMAGES}; do
  [ ! -e "$image" ] || echo "image $image"
done
find . ../guests -type f '(' -name '*.img' -o -name disk ')' ! -name '{_BASE_IMAGES}' \
  -exec qemu-img info --force-share --output=json '{{}}' ';' |
  sed -n 's,^ *"full-backing-filename": ".*/\\([^/"]*\\)".*,used \\1,p'
"""

# ROOT NAME ...: what guests that are no more have left; they have been looked for in libvirt.
_CLEAR = """
set -eu
root=$1
shift
for name; do
  rm -f -- "$root/images/$name.img"
  rm -rf --one-file-system -- "$root/guests/$name"
done
"""

# ROOT NAME ...: the same, but for the folder that says that the guest is about to be made.
_MAKE_WAY = """
set -eu
root=$1
shift
for name; do
  rm -f -- "$root/images/$name.img"
  [ ! -d "$root/guests/$name" ] || find "$root/guests/$name" -xdev -mindepth 1 -delete
done
"""


def ensure_pool(*, log: Path | None = None) -> None:
    """See that lab's storage pool is there, and active.

    Raises:
        HostError: somebody else's has its name.
        ProcessError: libvirt could not make it.
    """
    process.run(process.as_root(["sh", "-c", _MAKE_FOLDERS, "sh", str(ROOT)]), log=log)
    if POOL not in virsh.ask("pool-list --all --name")[0].split():
        # Another lab may be quicker, here and below.
        virsh.read("pool-define", _POOL_XML, log=log)
    if f"<path>{IMAGES}</path>" not in virsh.ask(f"pool-dumpxml {POOL}")[0]:
        raise HostError(
            f"libvirt has a storage pool {POOL} here that lab did not make",
            details=f"Its folder is not {IMAGES}.",
            hint=f"Give it another name. What it is: sudo virsh pool-dumpxml {POOL}",
        )
    if POOL in virsh.ask("pool-list --name")[0].split():
        return
    virsh.run("pool-autostart", POOL, log=log, check=False)
    started = virsh.run("pool-start", POOL, log=log, check=False)
    if POOL not in virsh.ask("pool-list --name")[0].split():
        raise ProcessError(
            f"libvirt's storage pool {POOL} could not be started", details=started.tail(), log=log
        )


def image_name(box: catalog.Box) -> str:
    """What vagrant-libvirt calls the base image of a box in a pool.

    Its version, or when its image was made where it has none; see its `HandleBoxImage`.

    Raises:
        HostError: the box is damaged.
    """
    disk = (_metadata_of(box).get("disks") or [{}])[0]
    name = str(disk.get("name") or Path(str(disk.get("path", "box.img"))).stem)
    version = box.version
    if version in {"", "0"}:
        try:
            version = f"0_{int(image_of(box).stat().st_mtime)}"
        except OSError as error:
            raise _damaged(box, f"its image cannot be read ({error.strerror})") from error
    name = name.replace("/", "-SLASH-")
    return f"{box.name.replace('/', '-VAGRANTSLASH-')}_vagrant_box_image_{version}_{name}.img"


def image_of(box: catalog.Box) -> Path:
    """The file in a box's folder that holds its disk.

    Raises:
        HostError: the box is damaged.
    """
    disk = (_metadata_of(box).get("disks") or [{}])[0]
    return box.folder / str(disk.get("path", "box.img"))


def place(boxes: Sequence[catalog.Box], *, log: Path, root: Path = ROOT) -> None:
    """Put the images of boxes into the pool, unless they are there.

    Raises:
        HostError: a box is damaged.
        ProcessError: one could not be copied: the disk is full, say.
    """
    for box in boxes:
        image = image_of(box)
        crash.point(f"before {box.name} is placed")
        done = process.run(
            process.as_root(
                [
                    *("sh", "-c", _PLACE, "sh"),
                    *(str(root), image_name(box), str(image), box.checksums.get(image.name, "")),
                ]
            ),
            log=log,
            timeout_s=_PLACE_S,
            check=False,
        )
        if done.returncode == _DAMAGED:
            raise _damaged(box, "its image is not the one that was packed", log=log)
        if not done.ok:
            raise ProcessError(
                f"The image of the box {box.name} could not be copied to {root}",
                details=done.tail(),
                hint="Free some space there, or: lab box prune"
                if "No space left" in done.stderr
                else "Mend that, then run the same command again.",
                log=log,
            )


def keep_names(guests: Sequence[str]) -> None:
    """Note that guests are about to be made: see `spoken_for`.

    Raises:
        ProcessError: root could not note it.
    """
    process.run(process.as_root(["sh", "-c", _KEEP, "sh", str(GUESTS), *guests]))


def spoken_for() -> set[str]:
    """Guests that have a disk, or were about to be made in the last day.

    Raises:
        ProcessError: that cannot be read.
    """
    found = process.run(
        process.as_root(
            [
                *("find", str(ROOT), "-mindepth", "2", "-maxdepth", "2"),
                *("(", "-path", "*/images/*.img", "-o", "-path", "*/guests/*", "-type", "d"),
                *("-mmin", f"-{_KEPT_FOR_MIN}", ")", "-printf", "%f\\n"),
            ]
        )
    )
    return {name.removesuffix(".img") for name in found.stdout.split()}


def refresh(names: Collection[str], *, log: Path) -> None:
    """See that libvirt knows files that were put into the pool.

    Raises:
        ProcessError: it does not.
    """
    why = ""
    for _ in range(_TRIES):
        if set(names) <= set(_volumes()):
            return
        # Refused for as long as libvirt makes a volume for somebody.
        why = virsh.run("pool-refresh", POOL, log=log, check=False).tail(3)
        if set(names) <= set(_volumes()):
            return
        process.pause(_WAIT_S)
    raise ProcessError(
        f"libvirt does not find {', '.join(names)} in its pool {POOL}",
        details=why,
        hint=f"sudo virsh pool-refresh {POOL}, then run the same command again",
        log=log,
    )


def seed(wanted: Sequence[Wanted], *, new: Collection[str], log: Path) -> None:
    """Give guests their seed discs, and new ones an identity.

    Raises:
        ProcessError: root could not write them.
    """
    with tempfile.TemporaryDirectory(prefix="lab-seeds-") as staged:
        for guest in wanted:
            write_seed_disc(Path(staged, f"{guest.name}.iso"), keys=guest.keys)
        process.run(
            process.as_root(
                [
                    *("sh", "-c", _TAKE_SEEDS, "sh", str(GUESTS), staged),
                    *(guest.name for guest in wanted if guest.name in new),
                ]
            ),
            log=log,
        )


def clear(guests: Collection[str]) -> None:
    """Remove what guests that are no more have left: overlay, seed disc, identity.

    Raises:
        ProcessError: it could not be removed.
    """
    _remove(guests, by=_CLEAR)


def make_way(guests: Collection[str]) -> None:
    """Remove what a making that was cut off has left of guests, which are about to be made.

    That they are stays noted (see `keep_names`): another lab would let their addresses go.

    Raises:
        ProcessError: it could not be removed.
    """
    _remove(guests, by=_MAKE_WAY)


def roots() -> dict[str, bool]:
    """The base images in the pool, and whether an overlay is a clone of each."""
    said = process.run(process.as_root(["sh", "-c", _ROOTS, "sh", str(ROOT)]), timeout_s=300)
    words = [line.split(maxsplit=1) for line in said.stdout.splitlines()]
    used = {name for word, name in words if word == "used"}
    return {name: name in used for word, name in words if word == "image"}


def remove_root(root: str) -> None:
    """Remove a base image that nothing is a clone of.

    Raises:
        ProcessError: it could not be removed.
    """
    if not virsh.run("vol-delete", root, "--pool", POOL, check=False).ok:
        process.run(process.as_root(["rm", "-f", "--", str(IMAGES / root)]))


def copy_whole(guest: str, image: Path, *, log: Path) -> int:
    """Copy a stopped guest's disk into a file of its own, without a base; how many GB it shows.

    Raises:
        ProcessError: it could not be copied.
    """
    overlay = str(IMAGES / f"{guest}.img")
    process.run(
        process.as_root(
            [
                *("qemu-img", "convert", "-O", "qcow2", "-c", "-o", "compression_type=zstd"),
                *(overlay, str(image)),
            ]
        ),
        log=log,
        timeout_s=_PLACE_S,
    )
    process.run(process.as_root(["chmod", "0644", str(image)]), log=log)
    said = process.run(["qemu-img", "info", "--output=json", str(image)]).stdout
    return -(-int(json.loads(said)["virtual-size"]) // (1 << 30))


def _remove(guests: Collection[str], *, by: str) -> None:
    if guests:
        virsh.ask(*(f"vol-delete {guest}.img --pool {POOL}" for guest in guests))
        process.run(process.as_root(["sh", "-c", by, "sh", str(ROOT), *guests]))


def _volumes() -> list[str]:
    return [line.split()[0] for line in virsh.ask(f"vol-list {POOL}")[0].splitlines() if line]


def _metadata_of(box: catalog.Box) -> dict[str, list[dict[str, str]]]:
    try:
        data = json.loads((box.folder / "metadata.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(box, "its metadata.json cannot be read") from error
    return data if isinstance(data, dict) else {}


def _damaged(box: catalog.Box, how: str, *, log: Path | None = None) -> HostError:
    return HostError(
        f"The box {box.name} is damaged: {how}",
        hint=f"vagrant box remove {box.name} --provider libvirt --force, then: lab up",
        log=log,
    )
