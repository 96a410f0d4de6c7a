#!/bin/bash
# uWSGI, compiled against Python X.Y, for everyone on the machine.
#
# The guide says `sudo -H pip install uwsgi`; see pip.sh for why it goes into /opt/python-tools instead.
set -euo pipefail

tools=/opt/python-tools

# No build isolation: it is built with the setuptools of the constraints, not with whatever is the newest today.
install_uwsgi() { # CORES
    CPUCOUNT=$1 "$tools/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
        --no-build-isolation --constraint "$LAB_GUIDE/constraints/python$LAB_PYTHON.txt" uwsgi
}

# uWSGI's own build script compiles in parallel, and now and then fails of it: then one by one.
install_uwsgi "$(nproc)" || install_uwsgi 1
ln -sfn "$tools/bin/uwsgi" /usr/local/bin/uwsgi

uwsgi --version
uwsgi --python-version
