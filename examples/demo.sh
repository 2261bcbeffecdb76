#!/bin/sh
# In a folder of its own: seed an embedded Pipes that has drifted, plan, apply, plan again.
set -eu

examples=$(dirname "$0")
demo=${DEMO:-.demo}
rm -rf "$demo"
mkdir -p "$demo"
cp -R "$examples/orgs.yaml" "$examples/pipes.yaml" "$examples/images" "$examples/not-a-secret.txt" "$demo"
cd "$demo"

run() {
    printf '\n$ reconciler %s\n' "$*"
    reconciler "$@"
}

run sandbox seed pipes.yaml
run plan --host sandbox -o plan.json
run apply plan.json --host sandbox --confirm-delete oldco
run plan --host sandbox --detailed-exitcode
printf '\nIn sync. Look around: cd %s && %s sandbox serve\n' "$demo" "$(command -v reconciler)"
