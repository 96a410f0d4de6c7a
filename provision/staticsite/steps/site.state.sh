#!/bin/bash
# What this step must find again next time: the virtual host, the link that enables it, and some first page.
home=$(getent passwd "$LAB_LOGIN" | cut -d: -f6)
[ -f "$home/webapps/staticsite/index.html" ] || echo "no index.html"
sha256sum "/etc/nginx/sites-available/$LAB_VHOST"
readlink "/etc/nginx/sites-enabled/$LAB_VHOST"
