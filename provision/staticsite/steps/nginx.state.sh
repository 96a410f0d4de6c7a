#!/bin/bash
# What this step must find again next time: nginx runs, starts with the machine, and has its default site.
# Where a broken site keeps nginx from starting, that site's step has to mend it, and starts nginx then.
systemctl show --property UnitFileState nginx
systemctl is-active --quiet nginx || ! nginx -q -t 2>/dev/null || echo "stopped"
readlink /etc/nginx/sites-enabled/default
