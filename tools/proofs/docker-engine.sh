#!/bin/sh
# Starts a Docker engine where none answers, and stops exactly the one it started.
#
#   docker-engine.sh start FOLDER   images, log and pid file below FOLDER; needs root
#   docker-engine.sh stop FOLDER
set -eu

usage() {
    echo "usage: $0 start|stop FOLDER" >&2
    exit 2
}

answers() {
    docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

# True while the process of the pid file is a dockerd, not another that got its number later.
alive() {
    [ -s "$pid_file" ] && [ "$(cat "/proc/$(cat "$pid_file")/comm" 2>/dev/null)" = dockerd ]
}

start() {
    if answers; then
        echo "docker-engine: one answers already"
        return
    fi
    if [ "$(id -u)" != 0 ]; then
        echo "docker-engine: no engine answers, and only root can start one" >&2
        exit 1
    fi
    mkdir -p "$folder"
    # dockerd writes its pid file itself; a stale one of a killed engine would stop it.
    alive || rm -f "$pid_file"
    nohup dockerd --data-root "$folder/data" --pidfile "$pid_file" \
        >"$folder/dockerd.log" 2>&1 </dev/null &
    tries=0
    until answers; do
        tries=$((tries + 1))
        if [ "$tries" -gt 150 ]; then
            echo "docker-engine: no answer after 30 s; see $folder/dockerd.log" >&2
            exit 1
        fi
        sleep 0.2
    done
    echo "docker-engine: started, pid $(cat "$pid_file")"
}

stop() {
    if ! alive; then
        echo "docker-engine: none that was started here runs"
        return
    fi
    pid=$(cat "$pid_file")
    kill "$pid"
    while [ -d "/proc/$pid" ]; do sleep 0.2; done
    echo "docker-engine: stopped"
}

[ $# = 2 ] || usage
folder=$2
case $folder in /*) ;; *) folder=$PWD/$folder ;; esac
pid_file=$folder/docker.pid
case $1 in
start) start ;;
stop) stop ;;
*) usage ;;
esac
