#!/bin/bash
# The student's account: a shell, an SSH key, and a home that nginx can pass through.
set -euo pipefail

# shellcheck source=../../student-account.sh
source "$LAB_KIT/student-account.sh"
student_account

# nginx serves the pages in the home as www-data. Newer distributions make homes that nobody else can enter; this lets
# others through to a path that they know, and still not list what is there.
home=$(getent passwd "$LAB_LOGIN" | cut -d: -f6)
[ -n "$(find "$home" -maxdepth 0 -perm -o=x)" ] || chmod o+x "$home"

id "$LAB_LOGIN"
