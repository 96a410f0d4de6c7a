#!/bin/bash
# What this step must find again next time: the file, and the link that enables it.
sha256sum "/etc/nginx/sites-available/$LAB_VHOST"
readlink "/etc/nginx/sites-enabled/$LAB_VHOST"
