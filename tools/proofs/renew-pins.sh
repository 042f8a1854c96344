#!/bin/sh
# Pins the newest versions of what requirements.txt and package.json name.
set -eu
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q -U pip
"$folder/venv/bin/pip" install -q -r requirements.txt
{ head -1 constraints.txt; "$folder/venv/bin/pip" freeze --all; } >"$folder/constraints.txt"
mv "$folder/constraints.txt" constraints.txt
npm update --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund
