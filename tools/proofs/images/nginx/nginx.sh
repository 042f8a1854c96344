#!/bin/sh
# The wheel's nginx looks for its files in the current folder; a later -c or -p goes before these.
exec /usr/local/libexec/nginx -p /etc/nginx/ -c /etc/nginx/nginx.conf "$@"
