#!/bin/bash
# The Flask application in ~/webapps/hellopython, with its virtual environment. Nothing is downloaded here.
#
# This step owns the files that it writes. When it runs again (because it was edited, or with --force), it puts them
# back as they are in the guide, and keeps what the student had beside them, as <file>.saved-by-lab.
set -euo pipefail

model=/opt/hellopython # what the step `pipenv` has prepared
templates="$LAB_GUIDE/app"
home=$(getent passwd "$LAB_LOGIN" | cut -d: -f6)
app="$home/webapps/hellopython"
changed=no

# What is in the home is done as the student. Root writing there could be led elsewhere by a link.
as_student() { runuser -u "$LAB_LOGIN" -- env HOME="$home" "$@"; }

# place MODE FILE: make a file of the app out of what comes in, unless it is that already.
place() {
    local outcome
    # shellcheck disable=SC2016 # expanded by the student's shell
    outcome=$(as_student bash -c '
        set -euo pipefail
        umask 022
        mode=$1 file=$2
        new=$(mktemp)
        trap "rm -f \"$new\"" EXIT
        cat >"$new"
        if [ ! -L "$file" ] && cmp --silent "$new" "$file" && [ "$(stat --format %a "$file")" = "$mode" ]; then
            exit
        fi
        mkdir -p "$(dirname "$file")"
        if [ -e "$file" ] && ! cmp --silent "$new" "$file"; then
            mv -f "$file" "$file.saved-by-lab"
        fi
        rm -f "$file"
        install -m "$mode" "$new" "$file"
        echo changed
    ' place "$1" "$app/$2")
    if [ "$outcome" = changed ]; then
        echo "wrote $app/$2"
        changed=yes
    fi
}

# Where pipenv looks for this project's environment: the folder's name and a hash of the Pipfile's path.
# `pipenv --venv` says the same, but only of an environment that is there.
venv_path() {
    local digest
    digest=$(printf %s "$app/Pipfile" | sha256sum | cut -c1-12 | sed 's/../\\x&/g')
    printf 'hellopython-%s\n' "$(printf '%b' "$digest" | base64 | tr +/ -_)"
}
venv="$home/.local/share/virtualenvs/$(venv_path)"

place 644 Pipfile <"$model/Pipfile"
place 644 Pipfile.lock <"$model/Pipfile.lock"
lock_changed=$changed
place 644 main.py <"$templates/main.py"
place 644 static/hello.txt <"$templates/static/hello.txt"
sed "s|@PYTHON_VENV@|$venv|" "$templates/run.sh" | place 755 run.sh

# `pipenv sync` would take each student three seconds of a processor, and the network. A copy of an environment that it
# made before is the same one, once the paths in its commands and the note of its project are those of the student.
if [ "$lock_changed" = yes ] || ! as_student "$venv/bin/python$LAB_PYTHON" -c 'import flask' 2>/dev/null; then
    # shellcheck disable=SC2016 # expanded by the student's shell
    as_student bash -c '
        set -euo pipefail
        umask 022
        model=$1 venv=$2 app=$3
        rm -rf "$venv" "$venv.new"
        mkdir -p "$(dirname "$venv")"
        cp -R --no-dereference --preserve=mode,timestamps "$model" "$venv.new"
        grep -rlIF --null "$model" "$venv.new/bin" "$venv.new/pyvenv.cfg" | xargs -0 sed -i "s|$model|$venv|g"
        printf %s "$app" >"$venv.new/.project"
        mv "$venv.new" "$venv"
    ' copy "$model/.venv" "$venv" "$app"
    changed=yes
fi

# An app that runs already is still the old one.
if [ "$changed" = yes ] && [ -e /etc/supervisor/conf.d/hellopython.conf ] &&
    supervisorctl status hellopython 2>/dev/null | grep -q RUNNING; then
    supervisorctl restart hellopython
fi
