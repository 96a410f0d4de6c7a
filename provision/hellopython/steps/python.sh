#!/bin/bash
# Python X.Y with its headers, distutils and venv, and a C compiler: what the rest of the guide stands on.
set -euo pipefail

python="python$LAB_PYTHON"

if [ ! -f "$LAB_GUIDE/constraints/$python.txt" ]; then
    echo "This guide has no constraints/$python.txt: it does not know which packages work with $python." >&2
    exit 1
fi

# What is there is asked of Python and gcc themselves, not of dpkg, so that an interpreter that was installed by
# other means than this distribution's archive is good too, and then apt is not needed at all.
has_python() { command -v "$python" >/dev/null; }
has_headers() { "$python" -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null; }
has_distutils() { "$python" -W ignore -c 'import distutils.util' 2>/dev/null; }
has_venv() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }
has_compiler() { echo '#include <stdio.h>' | gcc -x c -c -o /dev/null - 2>/dev/null; }

packages=()
has_python || packages+=("$python")
has_headers || packages+=("$python-dev")
has_distutils || packages+=(python3-distutils)
# The guide does not ask for venv: its `sudo pip` does without. See pip.sh.
has_venv || packages+=("$python-venv")
# gcc only recommends the C library's headers, and recommended packages are left out here.
has_compiler || packages+=(gcc libc6-dev)

if [ "${#packages[@]}" -gt 0 ]; then
    # shellcheck source=../../apt-install.sh
    source "$LAB_KIT/apt-install.sh"
    apt_install "${packages[@]}"
fi

for part in python headers distutils venv compiler; do
    "has_$part" || { echo "$python is still not complete: its $part cannot be used." >&2; exit 1; }
done
"$python" --version
gcc --version | head -n 1
