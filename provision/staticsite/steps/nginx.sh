#!/bin/bash
# The nginx web server, running, with the distribution's own site for every name that nobody has claimed.
set -euo pipefail

changed=no
if ! command -v nginx >/dev/null; then
    # shellcheck source=../../apt-install.sh
    source "$LAB_KIT/apt-install.sh"
    apt_install nginx
fi

# nginx looks server names up in a table with room for about 50 letters a name, and does not start with a longer one:
# staticsite.<login>.<domain> can be longer.
settings=/etc/nginx/conf.d/long-server-names.conf
line='server_names_hash_bucket_size 512;'
if [ "$(cat "$settings" 2>/dev/null)" != "$line" ]; then
    echo "$line" >"$settings"
    changed=yes
fi

# Without a default site nginx answers for every name with the first site that it has: a student's.
if [ ! -e /etc/nginx/sites-enabled/default ]; then
    ln -sfn /etc/nginx/sites-available/default /etc/nginx/sites-enabled/default
    changed=yes
fi

systemctl is-enabled --quiet nginx || systemctl enable nginx

# A student's site that is wrong keeps nginx from starting: the step that owns it mends it, and starts nginx then.
sites=$(find /etc/nginx/sites-enabled -mindepth 1 ! -name default)
if [ -n "$sites" ] && ! nginx -t; then
    exit
fi

if ! systemctl is-active --quiet nginx; then
    systemctl start nginx
elif [ "$changed" = yes ]; then
    nginx -t
    systemctl reload nginx
fi
nginx -v
