#!/bin/bash
# The packages that students may install by hand where there is no internet: those of the guide, for this Python.
#
# `lab box export` runs it on a machine that has the class steps behind it, before that becomes the stick's bake.
set -euo pipefail

python=/opt/python-tools/bin/python
constraints="$LAB_GUIDE/constraints/python$LAB_PYTHON.txt"

# uWSGI is on no index as a wheel, and now and then its build fails of compiling in parallel: see uwsgi.sh.
gather() { # CORES
    CPUCOUNT=$1 "$python" -m pip wheel --quiet --disable-pip-version-check --no-cache-dir --no-deps \
        --no-build-isolation --wheel-dir "$LAB_WHEELS" --requirement "$constraints"
}
gather "$(nproc)" || gather 1
