#!/bin/bash

# `exec`: uwsgi takes this script's place, so that supervisor's stop signal reaches it at once (0.4 s, not 10 s).
# 127.0.0.1: only nginx, on this machine, has any business with this port. `:8080` would let everybody in.
# The environment is written out: `$(pipenv --venv)` needs HOME, which supervisor does not set, and a second.
cd "$(dirname "$0")" || exit 1
PYTHON_VENV="@PYTHON_VENV@"
exec uwsgi --socket 127.0.0.1:8080 --home "$PYTHON_VENV" -w main:app
