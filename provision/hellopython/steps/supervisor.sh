#!/bin/bash
# supervisor, and a group `supervisor` whose members may use supervisorctl without sudo.
set -euo pipefail

settings=/etc/supervisor/supervisord.conf
socket=/var/run/supervisor.sock

# First the group: supervisord does not start when `chown` names a group that does not exist.
getent group supervisor >/dev/null || groupadd --system supervisor

if ! command -v supervisord >/dev/null; then
    # shellcheck source=../../apt-install.sh
    source "$LAB_KIT/apt-install.sh"
    apt_install supervisor
fi

# The guide edits two lines by hand. Here the section [unix_http_server] loses whatever chmod and chown it has and gets
# the two lines of the guide, so that the result is the same whatever the file looked like.
edited=$(mktemp)
trap 'rm -f "$edited"' EXIT
awk '
    /^\[/ { inside = ($0 ~ /^\[unix_http_server\]/) }
    inside && /^[ \t]*(chmod|chown)[ \t]*=/ { next }
    { print }
    /^\[unix_http_server\]/ {
        print "chmod=0770               ; socket file mode (default 0700)"
        print "chown=root:supervisor    ; group of the users who may use supervisorctl"
    }
' "$settings" >"$edited"
if ! grep -q '^chown=root:supervisor' "$edited"; then
    echo "$settings has no section [unix_http_server]." >&2
    exit 1
fi
if ! cmp --silent "$edited" "$settings"; then
    cat "$edited" >"$settings" # keeps the owner and the mode that the file has
fi

# The socket itself tells whether the running daemon has read these lines.
socket_is_right() { [ "$(stat --format '%a %U %G' "$socket" 2>/dev/null)" = '770 root supervisor' ]; }

systemctl is-enabled --quiet supervisor || systemctl enable supervisor
if ! systemctl is-active --quiet supervisor || ! socket_is_right; then
    systemctl restart supervisor
fi

deadline=$((SECONDS + 30 * ${LAB_PATIENCE:-1}))
until socket_is_right && supervisorctl pid >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$deadline" ]; then
        echo "supervisor is not listening on $socket, owned by root:supervisor with mode 0770." >&2
        ls -l "$socket" >&2 || true
        systemctl --no-pager --lines 20 status supervisor >&2 || true
        exit 1
    fi
    sleep 0.2
done
supervisord --version
