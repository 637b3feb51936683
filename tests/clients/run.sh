#!/bin/sh
# Real clients against a real server. Usage:
#   tests/clients/run.sh target/release/parlor            starts, kills and restarts the binary itself
#   tests/clients/run.sh http://127.0.0.1:8080            a running server (the tests that kill it are skipped)
#   tests/clients/run.sh target/release/parlor walk       one of: audit, clients, walk, demo, group
set -eu
target=${1:?'say what to test: the path of a binary, or the address of a running server'}
case $target in
  http://*) ;;
  *) target=$(cd "$(dirname "$target")" && pwd)/$(basename "$target") ;;
esac
only=${2:-}
cd "$(dirname "$0")"
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --ignore-scripts --no-audit --no-fund
[ -n "$only" ] && set -- "$only.test.mjs" || set -- audit.test.mjs clients.test.mjs walk.test.mjs demo.test.mjs group.test.mjs
PARLOR_UNDER_TEST=$target exec node --test --test-concurrency=1 --test-reporter=spec "$@"
