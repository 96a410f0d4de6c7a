#!/bin/bash
# pip for Python X.Y, for everyone on the machine.
#
# The guide downloads get-pip.py and runs it with sudo. That script has dropped Python 3.7, Debian 12 refuses
# packages installed that way (PEP 668), and elsewhere they can overwrite the distribution's own. A virtual environment
# that belongs to root does the same job apart from all that; links in /usr/local/bin put its commands on every PATH.
set -euo pipefail

tools=/opt/python-tools
python="$tools/bin/python$LAB_PYTHON"

# A venv of another Python, or one whose making was interrupted, is made anew.
if ! "$python" -m pip --version >/dev/null 2>&1; then
    "python$LAB_PYTHON" -m venv --clear "$tools"
fi

# With the versions that the constraints ask for in place, pip finds nothing to do and does not go to the network.
"$python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
    --constraint "$LAB_GUIDE/constraints/python$LAB_PYTHON.txt" pip setuptools wheel

ln -sfn "$tools/bin/pip" /usr/local/bin/pip
pip --version
