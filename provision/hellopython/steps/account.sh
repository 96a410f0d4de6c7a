#!/bin/bash
# The student's account: shell, SSH key, the lines that the guide adds to ~/.bashrc, the group `supervisor`.
set -euo pipefail

if [[ ! "$LAB_LOGIN" =~ ^[a-z][-a-z0-9]{0,30}$ ]]; then
    echo "'$LAB_LOGIN' is not a login." >&2
    exit 1
fi

# Ids below 1000 and above 60000 belong to the system: www-data, backup, nobody. Such an account is left alone.
if id="$(id -u "$LAB_LOGIN" 2>/dev/null)"; then
    if [ "$id" -lt 1000 ] || [ "$id" -ge 60000 ]; then
        echo "'$LAB_LOGIN' is an account of the system itself: give the student another login." >&2
        exit 1
    fi
else
    # `:` and `,` divide the fields of /etc/passwd, and a name there is one line.
    name=$(printf '%s' "$LAB_NAME" | tr ':,[:cntrl:]' ' ')
    # '*' is no password at all: nobody gets in with one. useradd's own '!' would lock the account, for SSH keys too.
    useradd --create-home --shell /bin/bash --password '*' --comment "$name" "$LAB_LOGIN"
fi

home=$(getent passwd "$LAB_LOGIN" | cut -d: -f6)

# nginx serves /static from the home as www-data, and must be able to pass through it; newer distributions make homes
# that nobody else can enter. This lets others through to a path that they know, and still not list what is there.
[ -n "$(find "$home" -maxdepth 0 -perm -o=x)" ] || chmod o+x "$home"

usermod --append --groups supervisor "$LAB_LOGIN"

# What is in the home is done as the student. Root writing there could be led elsewhere by a link.
runuser -u "$LAB_LOGIN" -- env HOME="$home" bash -s -- "$LAB_PYTHON" "$LAB_SSH_KEY" <<'AS_STUDENT'
set -euo pipefail
umask 022
python=$1
ssh_key=$2

has_line() { grep --quiet --line-regexp --fixed-strings -e "$2" "$1" 2>/dev/null; }
add_line() { has_line "$1" "$2" || printf '%s\n' "$2" >>"$1"; }

add_line ~/.bashrc "alias python=python$python"
# shellcheck disable=SC2016 # the line of the guide, as it stands there
add_line ~/.bashrc 'export PATH=$PATH:~/.local/bin'

if [ -n "$ssh_key" ]; then
    mkdir -p ~/.ssh
    chmod 0700 ~/.ssh
    add_line ~/.ssh/authorized_keys "$ssh_key"
    chmod 0600 ~/.ssh/authorized_keys
fi
AS_STUDENT

id "$LAB_LOGIN"
