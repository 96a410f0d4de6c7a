#!/bin/bash
# The student's account, and a folder for their work in this guide.
set -euo pipefail

# An account with a home, and the key with which `lab ssh` lets the student in.
# shellcheck source=../../student-account.sh
source "$LAB_KIT/student-account.sh"
student_account

# What is in the home is done as the student: root writing there could be led elsewhere by a link.
# What they have in it already stays as it is.
runuser -u "$LAB_LOGIN" -- bash -s <<'AS_STUDENT'
set -euo pipefail
mkdir -p ~/NAME
[ -e ~/NAME/notes.txt ] || echo "Write here what you have learnt." >~/NAME/notes.txt
AS_STUDENT
