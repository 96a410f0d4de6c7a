#!/bin/bash
# pipenv for everyone on the machine, and a finished virtual environment of the app to copy from.
#
# The guide says `sudo -H pip install pipenv`; see pip.sh for why it goes into /opt/python-tools instead.
set -euo pipefail

tools=/opt/python-tools
model=/opt/hellopython

"$tools/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
    --constraint "$LAB_GUIDE/constraints/python$LAB_PYTHON.txt" pipenv
ln -sfn "$tools/bin/pipenv" /usr/local/bin/pipenv

# Flask is downloaded and installed once, here, and not once a student: the step `app` copies what this leaves behind.
filled=$(mktemp -d)
trap 'rm -rf "$filled"' EXIT
"$tools/bin/python" "$LAB_GUIDE/app/fill_in_index.py" "$LAB_GUIDE/app/python$LAB_PYTHON" "$filled"
if ! cmp --silent "$filled/Pipfile" "$model/Pipfile" || ! cmp --silent "$filled/Pipfile.lock" "$model/Pipfile.lock" ||
    ! "$model/.venv/bin/python$LAB_PYTHON" -c 'import flask' 2>/dev/null; then
    rm -rf "$model"
    mkdir -p "$model"
    cp "$filled/Pipfile" "$filled/Pipfile.lock" "$model"
    cd "$model"
    # The caches go away with the rest of the temporary folder: they would only make a box larger.
    XDG_CACHE_HOME="$filled/cache" XDG_DATA_HOME="$filled/data" VIRTUALENV_NO_PERIODIC_UPDATE=1 \
        PIPENV_VENV_IN_PROJECT=1 PIPENV_NOSPIN=1 PIPENV_YES=1 NO_COLOR=1 \
        pipenv --python "$(command -v "python$LAB_PYTHON")" sync
fi

pipenv --version
