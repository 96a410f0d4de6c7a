#!/bin/bash
# What this step must find again next time: nginx runs, starts with the machine, and has its default site.
systemctl show --property ActiveState,UnitFileState nginx
readlink /etc/nginx/sites-enabled/default
