# shellcheck shell=bash
# apt_install PACKAGE...: install packages in a machine that may have booted a second ago. Sourced by class steps.

# A new machine is still busy with its first boot: cloud-init writes apt's sources, and the daily timers run apt
# themselves and hold its locks. Wait for the first, switch off the second.
wait_for_first_boot() {
    if command -v cloud-init >/dev/null; then
        timeout $((300 * ${LAB_PATIENCE:-1})) cloud-init status --wait >/dev/null || true # its own failures are not ours
    fi
    local timer
    for timer in apt-daily.timer apt-daily-upgrade.timer; do
        if [ -e "/lib/systemd/system/$timer" ]; then
            systemctl mask --now "$timer" >/dev/null 2>&1 || true
        fi
    done
}

# DPkg::Lock::Timeout makes apt wait for dpkg's lock, but bionic's apt does not know it, and no apt waits for the
# lock on the package lists. So try again until the deadline when, and only when, a lock was the trouble.
apt_get() {
    local limit=$((300 * ${LAB_PATIENCE:-1})) deadline log
    deadline=$((SECONDS + limit))
    log=$(mktemp)
    until apt-get --yes --no-install-recommends -o DPkg::Lock::Timeout="$limit" -o Acquire::Retries=3 "$@" >"$log" 2>&1; do
        if ! grep -q 'Could not get lock' "$log" || [ "$SECONDS" -ge "$deadline" ]; then
            cat "$log" >&2
            rm -f "$log"
            return 1
        fi
        sleep 2
    done
    cat "$log"
    rm -f "$log"
}

# The steps follow each other within minutes: one look at what the archive has is enough for all of them.
update_package_lists() {
    local stamp=/run/apt-lists-updated
    if [ -z "$(find "$stamp" -mmin -30 2>/dev/null)" ]; then
        apt_get update
        touch "$stamp"
    fi
}

apt_install() {
    wait_for_first_boot
    update_package_lists
    apt_get install "$@"
}
