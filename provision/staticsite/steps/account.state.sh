#!/bin/bash
# What this step must find again next time: the account, and a home that nginx can pass through.
getent passwd "$LAB_LOGIN"
home=$(getent passwd "$LAB_LOGIN" | cut -d: -f6)
[ -n "$(find "$home" -maxdepth 0 -perm -o=x)" ] || echo "closed"
