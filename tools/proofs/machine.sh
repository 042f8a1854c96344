#!/bin/sh
# Makes a Debian or Ubuntu machine ready for every proof: the packages of apt.txt, leave for
# bubblewrap to make namespaces, a Docker engine that has the base images.
set -eu
cd "$(dirname "$0")"

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

packages=$(sed -E 's/[[:space:]]*#.*//; /^$/d' apt.txt)
if docker version >/dev/null 2>&1; then  # the machine's own engine conflicts with Debian's package
    packages=$(printf '%s\n' "$packages" | grep -vx docker.io)
fi
missing=
for package in $packages; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed \
        || missing="$missing $package"
done
if [ -n "$missing" ]; then
    echo "Installing$missing"
    as_root apt-get update -qq
    # shellcheck disable=SC2086  # one word a package
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
# Ubuntu lets an ordinary user make namespaces only in programs whose profile says so.
if [ -e /proc/sys/kernel/apparmor_restrict_unprivileged_userns ] && [ ! -e /etc/apparmor.d/bwrap ]; then
    as_root tee /etc/apparmor.d/bwrap >/dev/null <<'EOF_PROFILE'
abi <abi/4.0>,
include <tunables/global>
profile bwrap /usr/bin/bwrap flags=(unconfined) {
  userns,
}
EOF_PROFILE
    as_root apparmor_parser -r /etc/apparmor.d/bwrap
fi
as_root ./docker-engine.sh start "$(cd ../.. && pwd)/.proofs/engine"
