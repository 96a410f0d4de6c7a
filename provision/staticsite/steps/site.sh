#!/bin/bash
# The student's site: a first page in ~/webapps/staticsite, and the virtual host that serves that folder.
#
# The pages are the student's. This step writes the first one only where there is none; the virtual host's file is its
# own, and is put back as it is here.
set -euo pipefail

# The name becomes a file name and a word of nginx's configuration: it must be nothing but a host name.
if [[ ! "$LAB_VHOST" =~ ^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$ ]]; then
    echo "'$LAB_VHOST' is not a host name." >&2
    exit 1
fi

home=$(getent passwd "$LAB_LOGIN" | cut -d: -f6)
folder="$home/webapps/staticsite"
available="/etc/nginx/sites-available/$LAB_VHOST"
enabled="/etc/nginx/sites-enabled/$LAB_VHOST"
target="../sites-available/$LAB_VHOST"
changed=no

# What is in the home is done as the student. Root writing there could be led elsewhere by a link.
name=$(printf '%s' "$LAB_NAME" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g')
runuser -u "$LAB_LOGIN" -- bash -s -- "$folder" "$name" "$LAB_VHOST" <<'AS_STUDENT'
set -euo pipefail
umask 022
mkdir -p "$1"
cd "$1"
[ -e index.html ] || cat >index.html <<HTML
<!DOCTYPE html>
<html>
<head>
  <meta charset="utf-8">
  <title>$3</title>
</head>
<body>
  <h1>$2</h1>
  <p>$3</p>
</body>
</html>
HTML
AS_STUDENT

new=$(mktemp)
trap 'rm -f "$new"' EXIT
cat >"$new" <<NGINX
server {
    listen 80;
    server_name $LAB_VHOST;

    root $folder;
    index index.html;
    charset utf-8;

    location / {
        try_files \$uri \$uri/ =404;   # a file, or a folder with an index.html, or nothing
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
