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
    [ ! -s "$model/venv.tar" ]; then
    rm -rf "$model"
    mkdir -p "$model"
    cp "$filled/Pipfile" "$filled/Pipfile.lock" "$model"
    cd "$model"
    # The caches go away with the rest of the temporary folder: they would only make a box larger.
    XDG_CACHE_HOME="$filled/cache" XDG_DATA_HOME="$filled/data" VIRTUALENV_NO_PERIODIC_UPDATE=1 \
        PIPENV_VENV_IN_PROJECT=1 PIPENV_NOSPIN=1 PIPENV_YES=1 NO_COLOR=1 \
        pipenv --python "$(command -v "python$LAB_PYTHON")" sync
    # Importing it compiles it, for everybody.
    .venv/bin/python -c 'import flask'
    # Most of its files are pip's and setuptools', and a thousand files a student are what a class waits for at a disk.
    # They stay here for everybody, on the environment's path; a newer one that a student installs goes before them.
    mkdir seeds
    site=".venv/lib/python$LAB_PYTHON/site-packages"
    for package in pip setuptools wheel pkg_resources _distutils_hack; do
        find "$site" -maxdepth 1 '(' -name "$package" -o -name "$package-*.dist-info" ')' -exec mv -t seeds '{}' +
    done
    # The first of the files of its kind: setuptools has one that needs what this adds.
    echo "$model/seeds" >"$site/00-seeds.pth"
    .venv/bin/python -m pip --version
    tar --create --file venv.tar.new --directory .venv --owner=0 --group=0 .
    rm -rf .venv
    mv venv.tar.new venv.tar
fi

pipenv --version
