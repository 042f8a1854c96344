#!/bin/sh
# Runs the scripts of /docker-entrypoint.d before nginx, as the official image does.
set -e
if [ "$1" = nginx ] || [ "$1" = nginx-debug ]; then
    for file in /docker-entrypoint.d/*; do
        case $file in
        *.envsh)
            # shellcheck disable=SC1090  # given by the user
            [ ! -x "$file" ] || . "$file"
            ;;
        *.sh) [ ! -x "$file" ] || "$file" ;;
        esac
    done
fi
exec "$@"
