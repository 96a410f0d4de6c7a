#!/bin/bash
# What this step must find again next time: supervisor runs, and its socket belongs to the group.
socket=/var/run/supervisor.sock
# To systemd it runs from its first moment; its socket comes a little later.
deadline=$((SECONDS + 10 * ${LAB_PATIENCE:-1}))
while [ "$SECONDS" -lt "$deadline" ]; do
    if [ -S "$socket" ] || ! systemctl is-active --quiet supervisor; then break; fi
    sleep 0.2
done
systemctl show --property ActiveState,UnitFileState supervisor
stat --format '%a %U %G' "$socket"
sha256sum /etc/supervisor/supervisord.conf
