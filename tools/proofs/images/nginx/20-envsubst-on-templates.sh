#!/bin/sh
# Fills /etc/nginx/templates/*.template from the environment into /etc/nginx/conf.d. Only variables
# that are set are replaced, so that nginx's own ($host) stay.
set -e
templates=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
suffix=${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}
output=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}
[ -d "$templates" ] || exit 0

# shellcheck disable=SC2016  # envsubst wants the names with their dollar signs
names=$(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/${\1}/p' | grep -E "${NGINX_ENVSUBST_FILTER:-}" | tr '\n' ' ')
find "$templates" -follow -type f -name "*$suffix" | while read -r template; do
    relative=${template#"$templates"/}
    target=$output/${relative%"$suffix"}
    mkdir -p "$(dirname "$target")"
    envsubst "$names" <"$template" >"$target"
done
