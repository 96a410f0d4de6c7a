# shellcheck shell=bash
# What both scripts do to the computer before anything else: packages, the bridge, the virtual environment.
# Sourced; the caller has said `set -euo pipefail` and stands at the top of the checkout.

# What `lab` needs beside Python, by Debian's names. vagrant-lxc goes through sudo even where root runs it.
# Pango and a font are for handouts as PDF; from qemu-utils on, what makes boxes of full machines.
# shellcheck disable=SC2034 # used by the scripts that source this
packages=(
    vagrant vagrant-lxc lxc debootstrap dnsmasq-base iptables nftables iproute2 openssh-client sudo ca-certificates
    python3-venv gzip tar libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core
    qemu-utils grub-common grub-pc-bin e2fsprogs fdisk
)
# What the provider libvirt needs besides: the quickstart's class runs in containers, and does without.
# shellcheck disable=SC2034 # used by the scripts that source this
libvirt_packages=(vagrant-libvirt libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-utils)
environment=.venv
interfaces=/sys/class/net
lxc_run=/run/lxc

say() { printf '\n==> %s\n' "$*"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install_packages() { # PACKAGE...
    local missing=() package
    for package in "$@"; do
        [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "Installing from Debian: ${missing[*]}"
    as_root apt-get update --quiet
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
}

# The bridge that LXC machines are on. It is there after a reboot too, where systemd starts lxc-net.
start_bridge() {
    if [ ! -e "$interfaces/lxcbr0" ]; then
        say "Starting LXC's bridge, lxcbr0"
        bridge_started=yes
    elif [ -e "$lxc_run/network_up" ] && [ -s "$lxc_run/dnsmasq.pid" ] && ! name_server_runs; then
        # A process of its own, which may be gone while the bridge is there: machines would resolve no names.
        say "Restarting LXC's bridge, lxcbr0, whose name server has ended: machines on it are cut off for seconds"
    else
        return 0
    fi
    # lxc-net kills whoever has its server's number, and does not start where its mark says that it runs.
    name_server_runs || as_root rm -f "$lxc_run/dnsmasq.pid"
    if [ -e "$lxc_run/network_up" ]; then lxc_net restart; else lxc_net start; fi
}

name_server_runs() {
    local pid
    pid=$(cat "$lxc_run/dnsmasq.pid" 2>/dev/null) && [ "$(as_root cat "/proc/$pid/comm" 2>/dev/null)" = dnsmasq ]
}

stop_bridge_if_started() {
    [ "${bridge_started:-}" = yes ] || return 0
    lxc_net stop
}

lxc_net() { # start|restart|stop
    if [ -d /run/systemd/system ]; then
        as_root systemctl "$1" lxc-net
    else
        as_root /usr/libexec/lxc/lxc-net "$1"
    fi
}

# libvirt, for the provider of that name. It is there after a reboot too, where systemd starts libvirtd.
start_libvirt() {
    ! as_root virsh --quiet --connect qemu:///system uri >/dev/null 2>&1 || return 0
    say "Starting libvirt"
    if [ -d /run/systemd/system ]; then
        as_root systemctl start libvirtd
        libvirt_started=systemd
    else
        # As udev does it: where the device is root's alone, libvirt asks QEMU anew, for seconds, before each thing it does.
        if [ -c /dev/kvm ] && getent group kvm >/dev/null; then
            as_root chgrp kvm /dev/kvm
            as_root chmod 0660 /dev/kvm
        fi
        # Each leaves a daemon with its number in a file of its own.
        as_root virtlogd --daemon --pid-file /run/lab-virtlogd.pid
        as_root libvirtd --daemon --pid-file /run/lab-libvirtd.pid
        libvirt_started=daemons
    fi
    for _ in $(seq 50); do
        ! as_root virsh --quiet --connect qemu:///system uri >/dev/null 2>&1 || return 0
        sleep 0.2
    done
    echo "libvirt does not answer at qemu:///system" >&2
    return 1
}

# What of lab's libvirt has already: that is left alone.
note_what_libvirt_has() {
    libvirt_had=" $(virsh_names net-list) "
    libvirt_had_pool=" $(virsh_names pool-list) "
}

virsh_names() { # net-list|pool-list
    as_root virsh --quiet --connect qemu:///system "$1" --all --name | tr -s '[:space:]' ' '
}

forget_what_libvirt_had_not() {
    local network
    for network in lab lab-open lab-offline lab-open-offline; do
        case "$libvirt_had" in *" $network "*) continue ;; esac
        as_root virsh --quiet --connect qemu:///system "net-destroy $network; net-undefine $network" >/dev/null 2>&1 || true
    done
    case "$libvirt_had_pool" in *" lab "*) return 0 ;; esac
    as_root virsh --quiet --connect qemu:///system "pool-destroy lab; pool-undefine lab" >/dev/null 2>&1 || true
    # A guest's disk that is still there is for somebody to look at.
    if [ -z "$(as_root sh -c 'ls /var/lib/libvirt/lab/guests 2>/dev/null')" ]; then
        as_root rm -rf --one-file-system /var/lib/libvirt/lab
    fi
}

stop_libvirt_if_started() {
    local daemon network machines
    [ -n "${libvirt_had:-}${libvirt_started:-}" ] || return 0
    # Of one that does not answer nothing is taken away but the daemons that were started here.
    if machines=$(as_root virsh --quiet --connect qemu:///system list --all --name 2>/dev/null); then
        if grep -q '^lab' <<<"$machines"; then
            echo "libvirt has machines of lab's (sudo virsh list --all): it stays as it is, with lab's networks and pool" >&2
            return 0
        fi
        if [ -n "${libvirt_had:-}" ]; then forget_what_libvirt_had_not; fi
        if [ -n "${libvirt_started:-}" ]; then
            # A network outlives the daemon that started it.
            for network in lab lab-open lab-offline lab-open-offline; do
                as_root virsh --quiet --connect qemu:///system net-destroy "$network" >/dev/null 2>&1 || true
            done
        fi
    fi
    case ${libvirt_started:-} in
        systemd) as_root systemctl stop libvirtd ;;
        daemons)
            for daemon in libvirtd virtlogd; do
                if [ -s "/run/lab-$daemon.pid" ]; then
                    as_root kill "$(as_root cat "/run/lab-$daemon.pid")" || true
                fi
            done
            ;;
    esac
}

# install_lab EXTRAS: lab in an environment of its own, with the versions that are known to work together.
install_lab() {
    local wanted="$environment/.installed-$1"
    if [ "$wanted" -nt pyproject.toml ] && [ "$wanted" -nt scripts/constraints.txt ]; then
        return 0
    fi
    say "Installing lab into $environment"
    [ -x "$environment/bin/python" ] || python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check --constraint scripts/constraints.txt \
        --editable ".$1"
    touch "$wanted"
}
