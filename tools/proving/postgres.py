"""The PostgreSQL server of a proof: it starts inside the run's own namespaces, and ends with them.

A superuser can run programs on its server's machine (`COPY ... TO PROGRAM`), so the machine is
the sandbox. Nothing has to be reset either: each run has a server of its own, unpacked from an
archive of a cluster that was made once.
"""

from __future__ import annotations

import pwd
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools.pins import digest
from tools.proving.namespaces import SandboxError, is_root
from tools.proving.sandbox import Places, Run, Sandbox

DATABASE = "proof"
MAKING_TIMEOUT = 120
"""Seconds that making a cluster may take."""
SETTINGS = {
    "fsync": "off",  # nothing here outlives its run
    "full_page_writes": "off",
    "listen_addresses": "''",
}
MAKE = """
export PGDATA={data}
mkdir -m 700 "$PGDATA"
{own}
{user} initdb --auth=trust --encoding=utf8 --username=postgres --no-sync --wal-segsize=1
printf '%s\\n' {settings} >>"$PGDATA/postgresql.conf"
echo 'CREATE DATABASE {database} STRATEGY = wal_log' >create.sql
start() {{ {user} pg_ctl -w -o "-k $PGDATA" -l "$PGDATA/log" "$@"; }}
start start || cat "$PGDATA/log"
psql -h "$PGDATA" -U postgres -q -f create.sql postgres
start -m fast stop
rm "$PGDATA/log"
tar -c -f postgres.tar --owner=0 --group=0 -C "$PGDATA" .
"""
START = """
mkdir -m 700 {data}
tar -x -f {archive} -C {data} --no-same-owner
{own}
{user} postgres -D {data} -k {data} >{log} 2>&1 &
until grep -qs ready {data}/postmaster.pid; do
    kill -0 $! 2>/dev/null || {{ cat {log}; exit 1; }}
    sleep 0.01
done
"""


@dataclass(frozen=True, slots=True)
class Postgres:
    """A cluster that each run starts from; `archive` is where it lies outside."""

    archive: Path
    as_other: bool
    """Whether the server runs as somebody else than the run, which is root: PostgreSQL refuses."""

    def url(self, places: Places) -> str:
        """Return DATABASE_URL of a run."""
        return f"postgresql://postgres@/{DATABASE}?host={_data(places)}"

    def services(self, places: Places) -> str:
        """Return the lines that start the server; they end once it takes connections."""
        archive, log = _archive(places), places.base / "proof.postgres.log"
        who = _as_whom(places, as_other=self.as_other)
        return START.format(data=_data(places), archive=archive, log=log, **who)

    def read_only(self, places: Places) -> dict[Path, Path]:
        """Return what a run has to see: place inside to path outside."""
        return {_archive(places): self.archive}


async def make_cluster(sandbox: Sandbox, folder: Path, programs: Path, path: str) -> Postgres:
    """Return the cluster of the server in `programs`, made in the sandbox where it is missing.

    It is kept in `folder` under a name that changes with all that goes into it.

    Raises:
        SandboxError: where it cannot be made; the message holds what the programs said.
    """
    server = (programs / "postgres").stat()
    key = digest([Path(__file__)], str(server.st_size), str(server.st_mtime_ns))
    archive = folder / f"{key[:16]}.tar"
    as_other = is_root() and not sandbox.bubblewrap
    if not archive.exists():
        await _make(sandbox, path, archive, as_other=as_other)
    return Postgres(archive, as_other)


async def _make(sandbox: Sandbox, path: str, archive: Path, *, as_other: bool) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    settings = " ".join(f'"{name} = {value}"' for name, value in SETTINGS.items())
    with sandbox.places() as places, tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        who = _as_whom(places, as_other=as_other)
        script = MAKE.format(data=_data(places), settings=settings, database=DATABASE, **who)
        kept = Path(scratch) / "kept"
        kept.mkdir()
        environment = {"PATH": path, "LANG": "C.UTF-8"}
        done = await sandbox.run(Run(places, script, {}, environment, MAKING_TIMEOUT, keep=kept))
        if not done.passed:
            raise SandboxError(f"no PostgreSQL cluster could be made: {done.output.strip()}")
        partial = Path(scratch) / "postgres.tar"
        shutil.copyfile(kept / "postgres.tar", partial)  # so that it belongs to the caller
        partial.chmod(0o644)
        partial.replace(archive)


def _as_whom(places: Places, *, as_other: bool) -> dict[str, str]:
    """Return what gives the data away, and what runs a program as its owner."""
    if not as_other:
        return {"own": "", "user": ""}
    nobody = pwd.getpwnam("nobody")  # initdb wants a user that has a name
    uid, gid = nobody.pw_uid, nobody.pw_gid
    own = f"chmod 711 {places.base}; chown -R {uid}:{gid} {_data(places)}"
    return {"own": own, "user": f"setpriv --reuid={uid} --regid={gid} --clear-groups"}


def _data(places: Places) -> Path:
    """Return where the server's data and socket are."""
    return places.base / "proof.postgres"


def _archive(places: Places) -> Path:
    return places.base / "proof.postgres.tar"
