#!/bin/bash
# The nginx web server, running. The guide has it from an earlier chapter of the course.
set -euo pipefail

if ! command -v nginx >/dev/null; then
    # shellcheck source=../../apt-install.sh
    source "$LAB_KIT/apt-install.sh"
    apt_install nginx
fi

# nginx looks server names up in a table with room for about 50 letters a name, and does not start with a longer one:
# hellopython.<login>.<domain> can be longer.
settings=/etc/nginx/conf.d/long-server-names.conf
line='server_names_hash_bucket_size 512;'
if [ "$(cat "$settings" 2>/dev/null)" != "$line" ]; then
    echo "$line" >"$settings"
    nginx -t
    ! systemctl is-active --quiet nginx || systemctl reload nginx
fi

systemctl is-enabled --quiet nginx || systemctl enable nginx
systemctl is-active --quiet nginx || systemctl start nginx
nginx -v
