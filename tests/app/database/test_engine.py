"""Ways to name the target, and what is said of one that cannot be used."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from app.config import Settings
from app.database import connected_engine
from app.errors import AppError
from sqlalchemy import text

from tools.importing.statements import NEEDED_COLUMNS


def target(url: str) -> Settings:
    return Settings(database_url=url, _env_file=None)


async def answer(url: str) -> str:
    """The name of the database that the target is."""
    async with connected_engine(target(url)) as engine, engine.connect() as connection:
        return str(await connection.scalar(text("SELECT current_database()")))


async def complaint(url: str) -> str:
    """What is said of a target that cannot be used."""
    with pytest.raises(AppError) as caught:
        await answer(url)
    assert "\n" not in caught.value.message
    return str(caught.value.message)


Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]


@asynccontextmanager
async def listening(handle: Handle) -> AsyncIterator[int]:
    """A port of 127.0.0.1 whose connections are handled so, to their end."""
    handlers: list[asyncio.Task[object]] = []

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await handle(reader, writer)

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.append(asyncio.create_task(run(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1")
    yield server.sockets[0].getsockname()[1]
    server.close()
    await asyncio.gather(*handlers)


def leading_to(url: str) -> Handle:
    """A handler that leads to the server's Unix socket; the embedded server has no other."""
    socket = f"{parse_qs(urlsplit(url).query)['host'][0]}/.s.PGSQL.5432"

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while data := await reader.read(65536):
                writer.write(data)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(socket)
        await asyncio.gather(copy(reader, server_writer), copy(server_reader, writer))

    return forward


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
async def test_every_scheme_names_the_same_target(database_url: str, scheme: str) -> None:
    url = database_url.replace("postgresql:", f"{scheme}:")
    assert await answer(url) == urlsplit(database_url).path[1:]


@pytest.mark.parametrize(
    "options",
    [
        "sslmode=disable",
        "ssl=disable",
        "connect_timeout=5",
        "application_name=x&sslmode=prefer",
    ],
)
async def test_options_of_libpq_and_of_sqlalchemy_are_understood(
    database_url: str, options: str
) -> None:
    assert await answer(f"{database_url}&{options}") == urlsplit(database_url).path[1:]


async def test_of_several_hosts_one_that_answers_is_enough(database_url: str) -> None:
    name = urlsplit(database_url).path
    async with listening(leading_to(database_url)) as port:
        hosts = f"127.0.0.1:1,127.0.0.1:{port}"
        assert await answer(f"postgresql+asyncpg://postgres@{hosts}{name}") == name[1:]


async def test_no_server() -> None:
    assert await complaint("postgresql://me:secret@127.0.0.1:1,127.0.0.1:2/db") == (
        "cannot connect to 127.0.0.1:1,127.0.0.1:2/db: [Errno 111] Connect call failed "
        "('127.0.0.1', 2); check DATABASE_URL and that the server runs"
    )


async def test_a_server_that_does_not_answer_in_time() -> None:
    async with listening(lambda reader, _: reader.read()) as port:
        said = await complaint(f"postgresql://me@127.0.0.1:{port}/db?connect_timeout=0.2")
    assert said.startswith(f"cannot connect to 127.0.0.1:{port}/db: no answer in time; ")


async def test_no_such_database(server_url: str) -> None:
    said = await complaint(urlsplit(server_url)._replace(path="/missing").geturl())
    assert 'database "missing" does not exist; check DATABASE_URL' in said


@pytest.mark.parametrize(
    "url", ["postgresql://h:port/db", "postgresql://[::1/db", "postgresql://h/db?connect_timeout=x"]
)
async def test_a_url_that_cannot_be_read(url: str) -> None:
    said = await complaint(url)
    assert said.startswith("DATABASE_URL cannot be read (")
    assert said.endswith("); expected postgresql://user:password@host:port/database")


async def test_an_option_that_nobody_knows(database_url: str) -> None:
    said = await complaint(f"{database_url}&chanel_binding=require")
    assert 'unrecognized configuration parameter "chanel_binding"' in said


async def test_no_extension(empty_database_url: str) -> None:
    assert await complaint(empty_database_url) == (
        "the target has no pgvector extension; run `make migrate`, or CREATE EXTENSION vector"
    )


async def test_no_tables(empty_database_url: str) -> None:
    await execute(empty_database_url, "CREATE EXTENSION vector")
    said = await complaint(empty_database_url)
    assert said.startswith("the target has not been migrated, it lacks ")
    assert said.endswith(" more columns; run `make migrate`")


async def test_a_column_is_missing(database_url: str) -> None:
    await execute(database_url, "ALTER TABLE traces DROP COLUMN is_seed")
    assert await complaint(database_url) == (
        "the target has not been migrated, it lacks traces.is_seed; run `make migrate`"
    )


async def test_only_what_is_needed_must_be_there(database_url: str) -> None:
    await execute(database_url, "DROP TABLE search_documents")
    async with connected_engine(target(database_url), needs=NEEDED_COLUMNS):
        pass
    assert "search_documents" in await complaint(database_url)


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()
