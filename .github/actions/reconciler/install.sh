#!/usr/bin/env bash
# Install reconciler from this action's own checkout, once a job, into a virtual environment of its own.
# Takes PYTHON and INPUT_CONSTRAINTS (may be empty).
set -euo pipefail

venv="$RUNNER_TEMP/reconciler/venv"
if [ -x "$venv/bin/reconciler" ]; then
    exit 0 # an earlier step of this job did it
fi
options=()
if [ -n "$INPUT_CONSTRAINTS" ]; then
    options+=(--constraint "$INPUT_CONSTRAINTS")
fi
# A local path, never a name that a registry resolves: the code at the commit that `uses:` names.
source=$(cd "$GITHUB_ACTION_PATH/../../.." && pwd)
"$PYTHON" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${options[@]}" "$source"
