#!/bin/bash
# The student's account: shell, SSH key, the lines that the guide adds to ~/.bashrc, the group `supervisor`.
set -euo pipefail

# shellcheck source=../../student-account.sh
source "$LAB_KIT/student-account.sh"
student_account

home=$(getent passwd "$LAB_LOGIN" | cut -d: -f6)

# nginx serves /static from the home as www-data, and must be able to pass through it; newer distributions make homes
# that nobody else can enter. This lets others through to a path that they know, and still not list what is there.
[ -n "$(find "$home" -maxdepth 0 -perm -o=x)" ] || chmod o+x "$home"

usermod --append --groups supervisor "$LAB_LOGIN"

# What is in the home is done as the student. Root writing there could be led elsewhere by a link.
runuser -u "$LAB_LOGIN" -- env HOME="$home" bash -s -- "$LAB_PYTHON" <<'AS_STUDENT'
set -euo pipefail
umask 022
python=$1

has_line() { grep --quiet --line-regexp --fixed-strings -e "$2" "$1" 2>/dev/null; }
add_line() {
    if has_line "$1" "$2"; then return; fi
    # What an editor has left without an end of its last line would be one line with this.
    [ -z "$(tail -c 1 "$1" 2>/dev/null)" ] || echo >>"$1"
    printf '%s\n' "$2" >>"$1"
}

add_line ~/.bashrc "alias python=python$python"
# shellcheck disable=SC2016 # the line of the guide, as it stands there
add_line ~/.bashrc 'export PATH=$PATH:~/.local/bin'
AS_STUDENT

id "$LAB_LOGIN"
