#!/bin/bash
# Makes a database cluster on the first start, from the variables of the official image, and runs
# the files of /docker-entrypoint-initdb.d on it; then becomes the server.
set -euo pipefail

# value NAME DEFAULT: the variable, or the contents of the file that NAME_FILE names.
value() {
    local file="$1_FILE"
    if [ -n "${!1:-}" ] && [ -n "${!file:-}" ]; then
        echo "error: both $1 and $file are set (but are exclusive)" >&2
        exit 1
    fi
    if [ -n "${!file:-}" ]; then cat "${!file}"; else echo "${!1:-$2}"; fi
}

run_sql() {
    psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --host /var/run/postgresql \
        --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" "$@"
}

initialize() {
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
        echo "Error: Database is uninitialized and superuser password is not specified." >&2
        echo "       Set POSTGRES_PASSWORD to a non-empty value (-e POSTGRES_PASSWORD=password)," >&2
        echo "       or POSTGRES_HOST_AUTH_METHOD=trust to accept every connection." >&2
        exit 1
    fi
    # shellcheck disable=SC2086  # the arguments are words
    initdb --username "$POSTGRES_USER" --pwfile <(echo "$POSTGRES_PASSWORD") \
        --auth-local trust --auth-host "$POSTGRES_HOST_AUTH_METHOD" ${POSTGRES_INITDB_ARGS:-}
    echo "host all all all $POSTGRES_HOST_AUTH_METHOD" >>"$PGDATA/pg_hba.conf"
    # The wheel's psql looks in /tmp, everything else in /var/run/postgresql.
    printf "%s\n" "listen_addresses = '*'" \
        "unix_socket_directories = '/var/run/postgresql, /tmp'" >>"$PGDATA/postgresql.conf"

    pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p 5432" -w start
    if [ "$POSTGRES_DB" != postgres ]; then
        createdb --host /var/run/postgresql --username "$POSTGRES_USER" "$POSTGRES_DB"
    fi
    run_files /docker-entrypoint-initdb.d/*
    pg_ctl -D "$PGDATA" -m fast -w stop
    printf '\nPostgreSQL init process complete; ready for start up.\n\n'
}

run_files() {
    local file
    for file; do
        case $file in
        *.sh)
            # shellcheck disable=SC1090  # given by the user
            if [ -x "$file" ]; then "$file"; else . "$file"; fi
            ;;
        *.sql) run_sql -f "$file" ;;
        *.sql.gz) gunzip -c "$file" | run_sql ;;
        *) echo "$0: ignoring $file" ;;
        esac
    done
}

[ "${1#-}" = "$1" ] || set -- postgres "$@"
if [ "$1" = postgres ]; then
    if [ "$(id -u)" = 0 ]; then
        mkdir -p "$PGDATA"
        chmod 700 "$PGDATA"
        find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
        exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
    fi
    POSTGRES_USER=$(value POSTGRES_USER postgres)
    POSTGRES_DB=$(value POSTGRES_DB "$POSTGRES_USER")
    POSTGRES_PASSWORD=$(value POSTGRES_PASSWORD "")
    POSTGRES_HOST_AUTH_METHOD=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    export POSTGRES_USER POSTGRES_DB POSTGRES_PASSWORD POSTGRES_HOST_AUTH_METHOD
    if [ -s "$PGDATA/PG_VERSION" ]; then
        echo "PostgreSQL Database directory appears to contain a database; Skipping initialization"
    else
        shopt -s nullglob
        initialize
    fi
fi
exec "$@"
