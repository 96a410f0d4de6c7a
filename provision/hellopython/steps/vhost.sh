#!/bin/bash
# The nginx virtual host that hands requests to uWSGI, and serves /static itself.
set -euo pipefail

# The name becomes a file name and a word of nginx's configuration: it must be nothing but a host name.
if [[ ! "$LAB_VHOST" =~ ^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$ ]]; then
    echo "'$LAB_VHOST' is not a host name." >&2
    exit 1
fi

app="$(getent passwd "$LAB_LOGIN" | cut -d: -f6)/webapps/hellopython"
available="/etc/nginx/sites-available/$LAB_VHOST"
enabled="/etc/nginx/sites-enabled/$LAB_VHOST"
target="../sites-available/$LAB_VHOST"
changed=no

new=$(mktemp)
trap 'rm -f "$new"' EXIT
cat >"$new" <<NGINX
server {
    listen 80;
    server_name $LAB_VHOST;

    location / {
        uwsgi_pass 127.0.0.1:8080;   # where run.sh has uwsgi listen
        include uwsgi_params;
    }

    location /static {
        root $app;   # files that need no Python
    }
}
NGINX

if ! cmp --silent "$new" "$available"; then
    install -m 0644 "$new" "$available"
    changed=yes
fi
if [ "$(readlink "$enabled")" != "$target" ]; then
    ln -sfn "$target" "$enabled"
    changed=yes
fi

# Before the reload: nginx refuses a configuration that is wrong, and goes on with the old one without a word.
nginx -t
if ! systemctl is-active --quiet nginx; then
    systemctl start nginx
elif [ "$changed" = yes ]; then
    systemctl reload nginx
fi
