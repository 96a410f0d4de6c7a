#!/bin/bash
# The Flask application in ~/webapps/hellopython, with its virtual environment. Nothing is downloaded here.
#
# This step owns the files that it writes. When it runs again (because it was edited, or with --force), it puts them
# back as they are in the guide, and keeps what the student had beside them, as <file>.saved-by-lab.
set -euo pipefail

model=/opt/hellopython # what the step `pipenv` has prepared
home=$(getent passwd "$LAB_LOGIN" | cut -d: -f6)
app="$home/webapps/hellopython"

# Where pipenv looks for this project's environment: the folder's name and a hash of the Pipfile's path.
# `pipenv --venv` says the same, but only of an environment that is there.
venv_path() {
    local digest
    digest=$(printf %s "$app/Pipfile" | sha256sum | cut -c1-12 | sed 's/../\\x&/g')
    printf 'hellopython-%s\n' "$(printf '%b' "$digest" | base64 | tr +/ -_)"
}
venv="$home/.local/share/virtualenvs/$(venv_path)"

# The files as they are to be, where the student can read them.
wanted=$(mktemp -d)
trap 'rm -rf "$wanted"' EXIT
chmod 0755 "$wanted"
mkdir "$wanted/static"
install -m 0644 "$model/Pipfile" "$model/Pipfile.lock" "$LAB_GUIDE/app/main.py" "$wanted"
install -m 0644 "$LAB_GUIDE/app/static/hello.txt" "$wanted/static"
sed "s|@PYTHON_VENV@|$venv|" "$LAB_GUIDE/app/run.sh" >"$wanted/run.sh"
chmod 0755 "$wanted/run.sh"

# What is in the home is done as the student. Root writing there could be led elsewhere by a link. Says what it changed.
#
# `pipenv sync` would take each student three seconds of a processor, and the network. A copy of an environment that it
# made before is the same one, once the paths in its commands and the note of its project are those of the student.
changed=$(
    runuser -u "$LAB_LOGIN" -- env HOME="$home" bash -s -- "$wanted" "$app" "$model" "$venv" "$LAB_PYTHON" <<'AS_STUDENT'
set -euo pipefail
umask 022
cd "$1"
app=$2 model=$3 venv=$4 python=$5

for file in Pipfile Pipfile.lock main.py static/hello.txt run.sh; do
    there=$app/$file
    if [ ! -L "$there" ] && cmp --silent "$file" "$there" &&
        [ "$(stat --format %a "$file")" = "$(stat --format %a "$there")" ]; then
        continue
    fi
    mkdir -p "$(dirname "$there")"
    if [ -e "$there" ] && ! cmp --silent "$file" "$there"; then
        mv -f "$there" "$there.saved-by-lab"
    fi
    rm -f "$there"
    cp --preserve=mode "$file" "$there"
    echo "$there"
    [ "$file" != Pipfile.lock ] || rm -rf "$venv"
done

if ! "$venv/bin/python$python" -c 'import flask' 2>/dev/null; then
    rm -rf "$venv" "$venv.new"
    mkdir -p "$venv.new"
    tar --extract --file "$model/venv.tar" --directory "$venv.new"
    grep -rlIF --null "$model" "$venv.new/bin" "$venv.new/pyvenv.cfg" | xargs -0 sed -i "s|$model/.venv|$venv|g"
    printf %s "$app" >"$venv.new/.project"
    mv "$venv.new" "$venv"
    echo "$venv"
fi
AS_STUDENT
)
printf 'wrote:\n%s\n' "${changed:-nothing}"

# An app that runs already is still the old one.
if [ -n "$changed" ] && [ -e /etc/supervisor/conf.d/hellopython.conf ] &&
    supervisorctl status hellopython 2>/dev/null | grep -q RUNNING; then
    supervisorctl restart hellopython
fi
