# shellcheck shell=bash disable=SC2034,SC2154 # a part of keep-disk, which says what each of these is
# What keep-disk must know of LXC: a guest's disk is the upper folder of its overlay, or its root where it has none.
guests=$(lxc-config lxc.lxcpath)
mark=seeded

find_disk() {
    root=$(sed -n 's/^lxc\.rootfs\.path *= *//p' "$own/config" | tail -n 1)
    disk=${root##*:}
    # Root removes and renames here: nothing that is elsewhere, or that others have a part in.
    case $disk in "$own/delta" | "$own/rootfs") ;; *) fail "the disk of $guest is $root, which lab knows nothing of" ;; esac
}

state() { lxc-info --name "$guest" --state --no-humanize; }

freeze() { timeout 30 lxc-freeze --name "$guest"; }

thaw_by() { thaw=(lxc-unfreeze --name "$guest"); }

copy_disk() { cp -a --reflink=auto -- "$1" "$2"; }

is_clone() {
    case $root in overlay:*) ;; *) fail "$guest is no clone that shares a box of lab's: only making it anew makes it fresh" ;; esac
}

# The seed leaves the mark at the next start.
fresh_disk() { mkdir -m 0755 "$1/disk"; }

is_unused() { [ ! -e "$own/seeded" ]; }

is_fresh() { is_unused; }

# What LXC mounts an overlay with belongs to one upper folder.
forget_disk() { remove "$own/work" "$own/olwork"; }
