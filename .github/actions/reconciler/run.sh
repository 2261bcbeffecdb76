#!/usr/bin/env bash
# Run one reconciler command. Takes the action's inputs as INPUT_…, and PIPES_TOKEN; all but INPUT_COMMAND may be empty.
set -euo pipefail

LIMIT=65000 # characters: GitHub takes 65,536 in a comment or an issue

bin="$RUNNER_TEMP/reconciler/venv/bin"
work="$RUNNER_TEMP/reconciler/$INPUT_COMMAND-$$"
mkdir -p "$work"

lines() { # one argument a line; empty lines are none
    printf '%s\n' "$1" | sed -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//' -e '/^$/d'
}
mapfile -t args < <(lines "$INPUT_ARGS")
mapfile -t paths < <(lines "$INPUT_PATHS")

report=""
if [ -n "$INPUT_REPORT" ]; then
    mkdir -p "$(dirname "$INPUT_REPORT")"
    report=$(realpath -m "$INPUT_REPORT")
fi

# reconciler tells unset from empty
if [ -n "$INPUT_HOST" ]; then export PIPES_HOST="$INPUT_HOST"; fi
if [ -z "$PIPES_TOKEN" ]; then unset PIPES_TOKEN; fi

cd "$INPUT_FOLDER"
status=0
: >"$work/summary.md"

if [ -n "$INPUT_REVISION" ]; then
    # git answers about the checkout; the files are the revision's, as plain files in a folder of their own
    GIT_DIR=$(git rev-parse --absolute-git-dir)
    prefix=$(git rev-parse --show-prefix)
    mkdir -p "$work/tree/$prefix"
    GITHUB_STEP_SUMMARY="$work/summary.md" \
        "$bin/python" -I "$GITHUB_ACTION_PATH/at_revision.py" "$INPUT_REVISION" "$work/tree/$prefix" "${paths[@]}" || status=$?
    export GIT_DIR GIT_WORK_TREE="$work/tree"
    cd "$work/tree/$prefix"
fi

if [ "$INPUT_COMMAND" = review ] || [ "$INPUT_COMMAND" = approvals ]; then
    # their own arguments are revisions
    paths=("${paths[@]/#/--path=}")
else
    paths=(-- "${paths[@]}")
fi

# A cancelled job: the runner sends SIGINT to this process, SIGTERM 7.5 seconds later, and kills all after another 2.5. The
# first one goes to reconciler, which finishes what is in flight, writes the lock file and reports. The second would end it
# at once, so it is not passed on.
child="" stopped="" woken="" told=""
tell() {
    if [ -n "$told" ] || [ -z "$child" ]; then return; fi
    told=yes
    kill -s TERM "$child" 2>/dev/null || true
}
# shellcheck disable=SC2329  # the trap below calls it
stop() {
    woken=yes stopped=yes
    tell
}
trap stop INT TERM

call() { # how to print it
    if [ -n "$stopped" ]; then return 143; fi
    "$bin/reconciler" "$INPUT_COMMAND" "$@" "${args[@]}" "${paths[@]}" &
    child=$!
    if [ -n "$stopped" ]; then tell; fi # the signal came before the child had a name here
    local ended
    while :; do # a signal ends `wait` before the child has ended
        woken="" ended=0
        wait "$child" || ended=$?
        if [ -z "$woken" ]; then break; fi
    done
    child=""
    return "$ended"
}

if [ "$status" = 0 ]; then
    GITHUB_STEP_SUMMARY="$work/summary.md" call --format github || status=$?
fi
cat "$work/summary.md" >>"$GITHUB_STEP_SUMMARY"
echo "status=$status" >>"$GITHUB_OUTPUT"

if [ -n "$report" ]; then
    if [ ! -s "$work/summary.md" ]; then
        printf '### reconciler %s has no report\n\nIt ended with status %s; its log says why.\n' "$INPUT_COMMAND" "$status" \
            >"$report"
    elif [ "$(LC_ALL=C.UTF-8 wc -m <"$work/summary.md")" -le "$LIMIT" ]; then
        cp "$work/summary.md" "$report"
    elif [ "$INPUT_COMMAND" = apply ] || [ -n "$stopped" ]; then
        # an apply never runs twice
        printf '### reconciler %s ended with status %s\n\nIts report is in the summary of the job.\n' "$INPUT_COMMAND" "$status" \
            >"$report"
    else
        # a summary may be longer than a comment: run again, for a report that is shortened where it hurts least
        call --format markdown --out "$report" || true
    fi
fi

for accepted in 0 $INPUT_ACCEPT; do
    if [ "$status" = "$accepted" ]; then exit 0; fi
done
exit "$status"
