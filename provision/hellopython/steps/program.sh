#!/bin/bash
# The application as a program of supervisor: started with the machine, started again when it dies.
set -euo pipefail

home=$(getent passwd "$LAB_LOGIN" | cut -d: -f6)
app="$home/webapps/hellopython"
settings=/etc/supervisor/conf.d/hellopython.conf

new=$(mktemp)
trap 'rm -f "$new"' EXIT
# More than the guide has: `directory` and `environment`, because supervisor sets neither the folder nor HOME, and what
# a student tries in run.sh (pipenv, for one) needs both.
cat >"$new" <<INI
[program:hellopython]
user = $LAB_LOGIN
command = $app/run.sh
directory = $app
environment = HOME="$home",USER="$LAB_LOGIN",LANG="C.UTF-8"
autostart = true
autorestart = true
stopsignal = INT
killasgroup = true
stderr_logfile = $app/hellopython.err.log
stdout_logfile = $app/hellopython.out.log
INI
if ! cmp --silent "$new" "$settings"; then
    install -m 0644 "$new" "$settings"
fi

# The guide restarts all of supervisor to have it read a new file. This reads it, and leaves other programs alone.
supervisorctl update

# What the next run will ask, too: supervisor's own word is a Python process, a quarter of a second of a processor, so it
# is asked only when something is wrong.
runs() { bash "$LAB_GUIDE/steps/program.state.sh" | grep --quiet --line-regexp runs; }

# The number that nginx answers with: `curl -H "Host: $LAB_VHOST" http://127.0.0.1/`, but a new machine has no curl.
answer() (
    exec 3<>/dev/tcp/127.0.0.1/80
    printf 'GET / HTTP/1.0\r\nHost: %s\r\n\r\n' "$LAB_VHOST" >&3
    read -r -t $((10 * ${LAB_PATIENCE:-1})) _ number _ <&3
    echo "$number"
) 2>/dev/null

deadline=$((SECONDS + 30 * ${LAB_PATIENCE:-1}))
looked=0
until [ "$(answer)" = 200 ] && runs; do
    if [ "$SECONDS" -ge "$deadline" ]; then
        echo "The application does not answer with 200 at http://$LAB_VHOST/, but with: $(answer || echo nothing)" >&2
        supervisorctl status hellopython >&2 || true
        # As the student: a log file that is a link must not show what only root can read.
        runuser -u "$LAB_LOGIN" -- tail -n 20 "$app/hellopython.err.log" "$app/hellopython.out.log" >&2 || true
        exit 1
    fi
    # `update` starts what is new. What was stopped or was given up needs more than that.
    looked=$((looked + 1))
    if [ $((looked % 5)) = 0 ] && ! runs; then
        supervisorctl restart hellopython || true
    fi
    sleep 0.2
done
