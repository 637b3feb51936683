#!/bin/sh
# Proves the provider formats against servers that we did not write. See README.md.
# usage: run.sh [path of the parlor binary]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${PARLOR_PROVIDERS_VENV:-"$here/.venv"}
binary=${1:-}
if [ -z "$binary" ]; then
    (cd "$here/../.." && cargo build --quiet)
    binary="${CARGO_TARGET_DIR:-$here/../../target}/debug/parlor"
fi
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
fi
# Builds llama.cpp the first time: that takes some minutes.
"$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
exec "$venv/bin/python" "$here/prove.py" "$binary"
