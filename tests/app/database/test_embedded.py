"""The embedded server runs while a command uses it, however commands end."""

import asyncio
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from app.config import Settings
from app.database import connected_engine
from app.database.embedded import embedded_server
from app.errors import TargetError
from sqlalchemy import text

User = subprocess.Popen[str]
USER = """
import pathlib, sys
from app.database.embedded import embedded_server
with embedded_server(pathlib.Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def start_user(data_dir: Path) -> Iterator[Callable[[], User]]:
    """Start processes that use the server until their standard input is closed."""
    users: list[User] = []

    def start() -> User:
        users.append(
            subprocess.Popen(
                [sys.executable, "-c", USER, str(data_dir)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return users[-1]

    yield start
    for user in users:
        user.kill()
        user.wait()


def url_of(user: User) -> str:
    assert user.stdout is not None
    assert select.select([user.stdout], [], [], 30)[0], "the server is not to be had"
    return user.stdout.readline().strip()


def end(user: User) -> None:
    user.communicate()
    assert user.returncode == 0


def answers(url: str) -> bool:
    async def ask() -> bool:
        try:
            connection = await asyncpg.connect(url)
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True

    return asyncio.run(ask())


def test_commands_at_once_share_the_server_and_the_last_one_stops_it(
    start_user: Callable[[], User],
) -> None:
    users = [start_user() for _ in range(3)]
    (url,) = {url_of(user) for user in users}
    for user in users[:-1]:
        end(user)
        assert answers(url)
    end(users[-1])
    assert not answers(url)


def test_a_command_that_is_killed_does_not_keep_the_server_for_ever(
    start_user: Callable[[], User], data_dir: Path
) -> None:
    killed = start_user()
    url = url_of(killed)
    killed.kill()
    killed.communicate()
    assert answers(url), "nobody was left to stop it"
    with embedded_server(data_dir) as again:
        assert again == url
        assert answers(url)
    assert not answers(url)


def test_one_process_may_use_it_twice_at_once_and_again(data_dir: Path) -> None:
    with embedded_server(data_dir) as url:
        with embedded_server(data_dir) as same:
            assert same == url
        assert answers(url)
    assert not answers(url)
    with embedded_server(data_dir) as url:
        assert answers(url)


async def test_it_is_migrated_and_keeps_its_data(data_dir: Path) -> None:
    settings = Settings(database_url=None, data_dir=data_dir, _env_file=None)
    async with connected_engine(settings) as engine, engine.begin() as connection:
        await connection.execute(text("INSERT INTO tags (name) VALUES ('python')"))
    async with connected_engine(settings) as engine, engine.connect() as connection:
        assert await connection.scalar(text("SELECT name FROM tags")) == "python"


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TargetError) as caught, embedded_server(tmp_path / "file" / "data"):
        pass
    assert "cannot use" in caught.value.message
    assert "or name a database in DATABASE_URL" in caught.value.message


def test_a_server_that_was_killed_is_started_anew(
    data_dir: Path,
) -> None:
    """Its note still names a process id, which by now is that of another process."""
    with embedded_server(data_dir) as url:
        note = data_dir / "postgres" / "postmaster.pid"
        lines = note.read_text().splitlines()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        note.write_text("\n".join([str(other.pid), *lines[1:], ""]))
        with embedded_server(data_dir) as again:
            assert again == url
            assert answers(again)
        assert other.poll() is None, "the other process was taken for the server"
        other.kill()
