#!/usr/bin/env bash
# Install reconciler, once a job, into a virtual environment of its own: from this action's own checkout, or the release
# whose version and digest are given. Takes PYTHON and the inputs INPUT_VERSION, INPUT_DIGEST, INPUT_EXTRAS and
# INPUT_CONSTRAINTS, each of which may be empty.
set -euo pipefail

venv="$RUNNER_TEMP/reconciler/venv"
wanted="version=$INPUT_VERSION digest=$INPUT_DIGEST extras=$INPUT_EXTRAS constraints=$INPUT_CONSTRAINTS"
if [ "$(cat "$venv/installed" 2>/dev/null)" = "$wanted" ]; then
    exit 0 # an earlier step of this job did it
fi

refuse() {
    echo "::error title=reconciler::$1"
    exit 1
}
if [ -n "$INPUT_VERSION" ] || [ -n "$INPUT_DIGEST" ]; then
    [[ "$INPUT_VERSION" =~ ^[0-9]+(\.[0-9a-z]+)*$ ]] || refuse 'version: give a release such as 0.1.0, together with digest'
    [[ "$INPUT_DIGEST" =~ ^[0-9a-f]{64}$ ]] || refuse "digest: give the SHA-256 of the wheel, 64 hexadecimal digits"
fi
[[ "$INPUT_EXTRAS" =~ ^[a-z,]*$ ]] || refuse 'extras: give names separated by commas'

# Isolated, so that no file of the checkout is taken for a module of pip's; and no cache, which an earlier job could have filled.
pip=("$venv/bin/python" -I -m pip install --quiet --disable-pip-version-check --no-cache-dir)
extras=""
if [ -n "$INPUT_EXTRAS" ]; then extras="[$INPUT_EXTRAS]"; fi
rest=()
if [ -n "$INPUT_CONSTRAINTS" ]; then
    rest+=(--constraint "$INPUT_CONSTRAINTS")
fi

rm -rf "$venv"
"$PYTHON" -m venv "$venv"
source=$(cd "$GITHUB_ACTION_PATH/../../.." && pwd)
if [ -n "$INPUT_VERSION" ]; then
    # pip takes a digest from a file only, and then wants one for each package: so first the release alone, then the others
    name=$(sed -n 's/^name = "\(.*\)"$/\1/p' "$source/pyproject.toml")
    printf '%s==%s --hash=sha256:%s\n' "$name" "$INPUT_VERSION" "$INPUT_DIGEST" >"$venv/release.txt"
    "${pip[@]}" --no-deps --only-binary :all: --require-hashes --requirement "$venv/release.txt"
    "${pip[@]}" "${rest[@]}" "$name$extras==$INPUT_VERSION"
else
    # a local path, never a name that a registry resolves: the code at the commit that `uses:` names
    "${pip[@]}" "${rest[@]}" "$source$extras"
fi
echo "$wanted" >"$venv/installed"
