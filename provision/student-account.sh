# shellcheck shell=bash
# student_account: the account of the student whose step it is, with a home, and their SSH key. Sourced by student steps.
# Run twice, it changes nothing; what the student has in their home stays theirs.

student_account() {
    if [[ ! "$LAB_LOGIN" =~ ^[a-z][-a-z0-9]{0,30}$ ]]; then
        echo "'$LAB_LOGIN' is not a login." >&2
        return 1
    fi

    # Ids below 1000 and above 60000 belong to the system: www-data, backup, nobody. Such an account is left alone.
    local id name home
    if id="$(id -u "$LAB_LOGIN" 2>/dev/null)"; then
        if [ "$id" -lt 1000 ] || [ "$id" -ge 60000 ]; then
            echo "'$LAB_LOGIN' is an account of the system itself: give the student another login." >&2
            return 1
        fi
    else
        # `:` and `,` divide the fields of /etc/passwd, and a name there is one line.
        name=$(printf '%s' "$LAB_NAME" | tr ':,[:cntrl:]' ' ')
        # '*' is no password at all: nobody gets in with one. useradd's own '!' would lock the account, for SSH keys too.
        useradd --create-home --shell /bin/bash --password '*' --comment "$name" "$LAB_LOGIN"
    fi

    # What is in the home is done as the student. Root writing there could be led elsewhere by a link.
    [ -n "$LAB_SSH_KEY" ] || return 0
    home=$(getent passwd "$LAB_LOGIN" | cut -d: -f6)
    runuser -u "$LAB_LOGIN" -- env HOME="$home" bash -s -- "$LAB_SSH_KEY" <<'AS_STUDENT'
set -euo pipefail
umask 022
mkdir -p ~/.ssh
chmod 0700 ~/.ssh
keys=~/.ssh/authorized_keys
if ! grep --quiet --line-regexp --fixed-strings -e "$1" "$keys" 2>/dev/null; then
    # What an editor has left without an end of its last line would be one line with this.
    [ -z "$(tail -c 1 "$keys" 2>/dev/null)" ] || echo >>"$keys"
    printf '%s\n' "$1" >>"$keys"
fi
chmod 0600 ~/.ssh/authorized_keys
AS_STUDENT
}
