# shellcheck shell=bash disable=SC2034,SC2154 # a part of keep-disk, which says what each of these is
# What keep-disk must know of libvirt: a guest's disk is an image that holds what differs from its box's.
library=${LAB_LIBVIRT_FOLDER:-/var/lib/libvirt/lab}
guests=$library/guests
mark=identity

ask() { LC_ALL=C virsh --quiet --connect qemu:///system "$@"; }

find_disk() {
    disk=$library/images/$guest.img
    # While it is being changed it is not there.
    [ -e "$disk" ] || [ -e "$next/disk" ] || fail "$guest has no disk of lab's"
}

state() {
    case $(ask domstate "$guest") in
        running) echo RUNNING ;;
        paused) echo FROZEN ;;
        'shut off') echo STOPPED ;;
        *) echo UNKNOWN ;;
    esac
}

# QEMU writes all that it holds back before it says that it is done.
freeze() { ask suspend "$guest"; }

thaw_by() { thaw=(virsh --quiet --connect qemu:///system resume "$guest"); }

# Not libvirt's own notes on whose an image was: those are of the guest that runs.
copy_disk() { cp --reflink=auto --sparse=always --preserve=timestamps -- "$1" "$2" && chmod 0600 "$2"; }

is_clone() { # of a guest that runs, too; while a disk is being changed there is none to be asked
    local info
    [ -e "$disk" ] || return 0
    info=$(qemu-img info --force-share --output=json "$disk") || fail "the image of $guest cannot be read"
    case $info in *'"full-backing-filename"'*) ;; *) fail "$guest is no clone of a box: only making it anew makes it fresh" ;; esac
}

fresh_disk() {
    local info base format bytes
    info=$(qemu-img info --output=json "$disk")
    base=$(sed -n 's/^    "full-backing-filename": "\(.*\)",\{0,1\}$/\1/p' <<<"$info")
    format=$(sed -n 's/^    "backing-filename-format": "\(.*\)",\{0,1\}$/\1/p' <<<"$info")
    bytes=$(sed -n 's/^    "virtual-size": \([0-9]*\),\{0,1\}$/\1/p' <<<"$info")
    [ -n "$base" ] || fail "it is not clear what $guest is a clone of"
    qemu-img create -q -f qcow2 -F "${format:-qcow2}" -b "$base" "$1/disk" "$bytes"
    chmod 0600 "$1/disk"
    cat /proc/sys/kernel/random/uuid >"$1/$mark"
}

# Each has a mark from the beginning: one without may hold work all the same.
is_unused() { false; }

# It is as large as a fresh one.
is_fresh() { [ -e "$own/$mark" ] && [ "$(stat -c %s "$disk")" -le "$(stat -c %s "$next.part/disk")" ]; }

# Of a guest that was suspended to the disk: its memory would go on with another disk.
forget_disk() { ask managedsave-remove "$guest" >/dev/null 2>&1 || true; }
