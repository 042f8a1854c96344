"""Search through the service, on a real database with the real local model."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from app.models import Trace
from app.search import index as search_index
from app.search import service as search_module
from app.search import terms as analysis
from app.search.centroid import EXPECTED, HIGHEST, Centroid, load_centroid
from app.search.pasted_error import without_noise
from app.search.service import Ranking, SearchAnswer, SearchService
from app.services.embeddings import EmbeddingError, LocalEmbedder, Vector
from app.worker.embedding_queue import EmbeddingQueue
from app.worker.embedding_run import EmbeddingRun
from sqlalchemy import delete, event, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.traces import add_traces, set_tags

TRACES: list[dict[str, object]] = [
    {
        "title": "docker stop takes ten seconds and the container exits with code 137",
        "context": "`docker stop` hangs, then the container is killed. Shutdown hooks never run.",
        "solution": "Use the exec form.\n\n```dockerfile\nENTRYPOINT ['./entrypoint.sh']\n```",
        "tags": ["docker", "signals"],
        "slug": "docker/sigterm",
    },
    {
        "title": "useState still shows the old value right after calling its setter",
        "context": "I call `setCount(count + 1)` and the log shows the previous number.",
        "solution": "Pass an updater.\n\n```tsx\nsetCount((previous) => previous + 1);\n```",
        "tags": ["react", "hooks"],
        "slug": "react/usestate",
    },
    {
        "title": "unique constraint blocks re-creating a soft-deleted row",
        "context": 'duplicate key value violates unique constraint "accounts_email_key"',
        "solution": "A partial index.\n\n```sql\nCREATE UNIQUE INDEX ON accounts (email);\n```",
        "tags": ["postgresql", "indexing"],
        "slug": "database/partial-index",
    },
    {
        "title": "Chart does not redraw when its list of points grows",
        "context": "A memoised component gets a mutated array and renders nothing new.",
        "solution": "Copy the array.\n\n```tsx\nsetPoints([...points, point]);\n```",
        "tags": ["react", "performance"],
        "slug": "react/chart",
    },
    {
        "title": "GitHub Actions job cannot read the output of another job",
        "context": "The value is empty in the second job.",
        "solution": "Write to GITHUB_OUTPUT and use `needs`.",
        "tags": ["github-actions"],
        "slug": "cicd/outputs",
    },
]


@pytest.fixture
async def service(engine: AsyncEngine, local: LocalEmbedder) -> SearchService:
    """Search over the traces above, of which none has a vector yet."""
    await add_traces(engine, TRACES)
    ready = SearchService(engine, local)
    await ready.start()
    return ready


async def embed(engine: AsyncEngine, local: LocalEmbedder) -> None:
    """Give all traces their vectors."""
    await EmbeddingRun(EmbeddingQueue(engine, local), local, 64).drain()


def slugs(answer: SearchAnswer) -> list[str | None]:
    """Slugs of the results, in order."""
    return [result.trace.slug for result in answer.results]


QUESTIONS = {
    "docker stop takes ten seconds": "docker/sigterm",
    "react hooks useState": "react/usestate",
    "use state setter": "react/usestate",  # an identifier in words
    "setCount": "react/usestate",
    "set_count": "react/usestate",
    "docker entrypoint.sh": "docker/sigterm",  # one only in the solution's code
    "pg unique constraint": "database/partial-index",  # short for postgresql
    "gha job output": "cicd/outputs",
    "conatiner exits": "docker/sigterm",  # misspelt
    "UniqueViolationError: duplicate key value violates constraint": "database/partial-index",
}


@pytest.mark.parametrize("embedded", [False, True])
async def test_words_find_their_trace_before_and_after_embedding(
    service: SearchService, engine: AsyncEngine, local: LocalEmbedder, embedded: bool
) -> None:
    if embedded:
        await embed(engine, local)
    answers = {question: await service.search(question) for question in QUESTIONS}
    assert {question: slugs(answer)[:1] for question, answer in answers.items()} == {
        question: [slug] for question, slug in QUESTIONS.items()
    }
    similarities = [answer.results[0].similarity_score for answer in answers.values()]
    assert all(similarity > 0 for similarity in similarities) == embedded


async def test_vectors_find_what_shares_no_word(
    service: SearchService, engine: AsyncEngine, local: LocalEmbedder
) -> None:
    question = "el gráfico no se actualiza cuando crece la lista de puntos"
    assert slugs(await service.search(question)) == []
    await embed(engine, local)
    assert slugs(await service.search(question)) == ["react/chart"]


NONSENSE = [
    "best pizza in Naples",
    "qwzx vbnm plokij",
    "what is the capital of Australia",
    "!!! ??? ...",
    "0000000000000000",
    "how to",
    "\x00",
    "'; DROP TABLE traces; --",
    "a & !b | (c <-> d) :* \\ '",
]


@pytest.mark.parametrize("embedded", [False, True])
async def test_nonsense_finds_nothing(
    service: SearchService, engine: AsyncEngine, local: LocalEmbedder, embedded: bool
) -> None:
    if embedded:
        await embed(engine, local)
    found = {question: slugs(await service.search(question)) for question in NONSENSE}
    assert found == {question: [] for question in NONSENSE}


async def test_results_come_best_first_and_no_more_than_asked_for(
    service: SearchService, engine: AsyncEngine, local: LocalEmbedder
) -> None:
    await add_traces(engine, [{"title": f"docker stop hangs, case {n}"} for n in range(30)])
    await embed(engine, local)
    await service.refresh()
    answer = await service.search("docker stop hangs", limit=12)
    assert {result.trace.title[:17] for result in answer.results} == {"docker stop hangs"}
    scores = [result.combined_score for result in answer.results]
    assert len(scores) == 12
    assert scores == sorted(scores, reverse=True)
    assert answer.total >= 30


LOG = """
2026-03-01 10:11:12,345 ERROR 7f3a9c00-1d2e-4f5a-8b9c-000000000001
Traceback (most recent call last):
  File "/usr/lib/python3.12/site-packages/docker/container.py", line 12, in stop
    exits_with_code(137)
    ~~~~~~~~~~~~~~~^^^^^
  File "/srv/shop/accounts/views.py", line 99, in create
    account.save()
asyncpg.exceptions.UniqueViolationError: duplicate key value violates unique constraint
    at Object.<anonymous> (/srv/shop/node_modules/chart/points.js:13:37)
"""


@pytest.mark.parametrize("embedded", [False, True])
async def test_a_pasted_log_finds_what_its_message_is_about(
    service: SearchService, engine: AsyncEngine, local: LocalEmbedder, embedded: bool
) -> None:
    if embedded:
        await embed(engine, local)
    assert slugs(await service.search(LOG)) == ["database/partial-index"]


@pytest.mark.parametrize(
    ("pasted", "told"),
    [
        (
            'Traceback (most recent call last):\n  File "/b.py", line 3\n    f()\n    ^\nKeyError',
            "\n\nKeyError",
        ),
        ("TypeError: x\n    at f (/srv/a.js:1:2)\n    at <anonymous>", "TypeError: x\n\n"),
        ("cannot open /etc/nginx/conf.d/site.conf", "cannot open site.conf"),
        ("at 2026-03-01T10:11:12.5Z process 2649175 died", "at   process   died"),
        ("object at 0x7f1c2c0b5d50, commit 8accd41f00", "object at  , commit  "),
        ("app.tsx:14:29 is wrong", "app.tsx  is wrong"),
        ("HTTP 413 at https://a.b/c/d/e, port 5432", "HTTP 413 at https://a.b/c/d/e, port 5432"),
        ("GET /api/items at 10 px", "GET /api/items at 10 px"),
        ("~" * 4000 + "!", "~" * 4000 + "!"),
        ("0x7f1c2c0b5d50 12345678", "0x7f1c2c0b5d50 12345678"),  # else nothing would be left
    ],
)
def test_what_belongs_to_one_machine_is_left_out(pasted: str, told: str) -> None:
    assert without_noise(pasted) == told


async def test_similarity_counts_from_what_is_usual_for_the_question(
    engine: AsyncEngine, local: LocalEmbedder
) -> None:
    """Where every trace is as similar, none answers for that."""
    alike = [{"title": f"Component renders an old value, variant {n}"} for n in range(200)]
    await add_traces(engine, alike)
    await embed(engine, local)
    centroid = await load_centroid(engine, local)
    usual = centroid.similarity(await local.embed_query("component shows an outdated value"))
    other = centroid.similarity(await local.embed_query("best pizza in Naples"))
    assert usual == HIGHEST > EXPECTED > other
    assert Centroid().similarity(await local.embed_query("anything")) == EXPECTED


async def test_a_search_is_one_statement(
    service: SearchService, engine: AsyncEngine, local: LocalEmbedder
) -> None:
    await embed(engine, local)
    with counted(engine) as statements:
        await service.search("docker stop", ["docker"])
    assert len(statements) == 1


@contextmanager
def counted(engine: AsyncEngine) -> Iterator[list[str]]:
    """The statements that the engine sends."""
    statements: list[str] = []

    def record(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    event.listen(engine.sync_engine, "before_cursor_execute", record)
    yield statements
    event.remove(engine.sync_engine, "before_cursor_execute", record)


TAGGED = [
    (["react"], {"react/usestate", "react/chart"}),
    ([" React ", "react", "REACT"], {"react/usestate", "react/chart"}),
    (["react", "hooks"], {"react/usestate"}),
    (["react", "docker"], set()),
    (["unheard-of"], set()),
    (["not a tag!"], set()),
]


EVERYTHING = Ranking(cut_off=0, share_of_best=0)
"""For tests that are not about how well a trace answers."""


@pytest.mark.parametrize("question", [None, "", "component renders an old value"])
@pytest.mark.usefixtures("service")
async def test_tags_are_normalised_made_unique_and_all_required(
    engine: AsyncEngine, local: LocalEmbedder, question: str | None
) -> None:
    await embed(engine, local)
    service = SearchService(engine, local, ranking=EVERYTHING)
    await service.start()
    for tags, expected in TAGGED:
        answer = await service.search(question, tags)
        assert set(slugs(answer)) == expected, tags
        assert answer.total == len(expected)


@pytest.mark.parametrize("exact_up_to", [0, 10_000])
async def test_a_rare_tag_still_fills_the_limit(
    engine: AsyncEngine, local: LocalEmbedder, monkeypatch: pytest.MonkeyPatch, exact_up_to: int
) -> None:
    """A filter after the vector index alone would find none: hundreds of others are nearer."""
    question = "la restricción única impide volver a crear una fila eliminada"
    far = "unique constraint blocks re-creating a soft-deleted row"
    await add_traces(engine, [{"title": f"{question}, {n}"} for n in range(380)])
    await add_traces(engine, [{"title": f"{far}, {n}", "tags": ["rare"]} for n in range(20)])
    await embed(engine, local)
    async with engine.begin() as connection:  # as with a hundred times as many traces
        name = await connection.scalar(text("SELECT current_database()"))
        for plan in ("seqscan", "bitmapscan", "sort"):
            await connection.execute(text(f"ALTER DATABASE {name} SET enable_{plan} = off"))
    monkeypatch.setattr(search_module, "EXACT_UP_TO", exact_up_to)
    service = SearchService(engine, local, ranking=EVERYTHING)
    await service.start()

    answer = await service.search(question, ["rare"], limit=15)
    assert len(answer.results) == 15
    assert all(result.trace.tags == ["rare"] for result in answer.results)


async def test_vectors_of_another_model_are_not_compared(
    service: SearchService, engine: AsyncEngine, local: LocalEmbedder
) -> None:
    await embed(engine, local)
    async with engine.begin() as connection:
        await connection.execute(update(Trace).values(embedding_model_version="another"))
    [best, *_] = (await service.search("docker stop takes ten seconds")).results
    assert best.trace.slug == "docker/sigterm"
    assert best.similarity_score == 0


class Broken(LocalEmbedder):
    """A provider that is down."""

    async def embed_query(self, text: str) -> Vector:
        raise EmbeddingError("no answer")


class Slow(LocalEmbedder):
    """A provider that never answers."""

    async def embed_query(self, text: str) -> Vector:
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize("kind", [Broken, Slow])
async def test_full_text_answers_while_the_provider_is_down(
    service: SearchService,
    engine: AsyncEngine,
    local: LocalEmbedder,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[LocalEmbedder],
) -> None:
    await embed(engine, local)
    monkeypatch.setattr(search_module, "EMBEDDING_TIMEOUT", 0.05)
    without = SearchService(engine, kind())
    await without.refresh()
    assert slugs(await without.search("docker stop takes ten seconds"))[0] == "docker/sigterm"


async def test_the_index_follows_edits_tags_and_removals(
    service: SearchService, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        trace_id = await connection.scalar(select(Trace.id).where(Trace.title.like("Chart%")))
        assert trace_id
        await connection.execute(
            update(Trace).where(Trace.id == trace_id).values(title="Graph stays empty")
        )
        await set_tags(connection, trace_id, ["svg"])
        await connection.execute(delete(Trace).where(Trace.title.like("docker%")))
    await service.refresh()

    assert slugs(await service.search("graph stays empty")) == ["react/chart"]
    assert slugs(await service.search("svg")) == ["react/chart"]
    assert slugs(await service.search("chart")) == []
    assert slugs(await service.search("docker")) == []


async def test_the_count_of_terms_is_what_the_documents_hold(
    service: SearchService, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(update(Trace).values(title="The same title for all"))
        await connection.execute(delete(Trace).where(Trace.context_text.like("%hangs%")))
    assert await search_index.refresh(engine) == len(TRACES)
    async with engine.connect() as connection:
        counted = await connection.execute(text("SELECT term, documents FROM search_terms"))
        actual = await connection.execute(
            text("SELECT word, ndoc FROM ts_stat('SELECT terms FROM search_documents')")
        )
        assert dict(counted.all()) == dict(actual.all())  # type: ignore[arg-type]


async def test_refreshing_is_done_once_however_many_do_it(
    engine: AsyncEngine, local: LocalEmbedder
) -> None:
    await add_traces(engine, TRACES)
    done = await asyncio.gather(*(search_index.refresh(engine) for _ in range(4)))
    assert sorted(done) == [0, 0, 0, len(TRACES)]
    assert await search_index.refresh(engine) == 0


async def test_another_analysis_indexes_everything_anew(
    service: SearchService, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "VERSION", analysis.VERSION + 1)
    assert await search_index.refresh(engine) == len(TRACES)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("useState", [("usestate", "use", "state")]),
        ("ERR_HTTP_HEADERS_SENT", [("errhttpheaderssent", "error", "http", "header", "sent")]),
        (
            "asyncpg.exceptions.UniqueViolationError",
            [("asyncpg",), ("except",), ("uniqueviolationerror", "uniqu", "violat", "error")],
        ),
        ("Next.js on k8s", [("nextj",), ("kubernet",)]),
        ("the re-rendering of it", [("rerendering", "re", "render")]),
        ("don't can't I a", []),
        ("__init__ ___", [("init",)]),
        ("naïve Größe 接続", [("naïv",), ("größe",), ("接続",)]),
        ("useStateの直後", [("usestate", "use", "state"), ("の直後",)]),
        ("x" * 100, []),
    ],
)
def test_words_are_cut_into_terms(written: str, found: list[tuple[str, ...]]) -> None:
    assert list(analysis.terms(written)) == found


async def test_any_text_can_be_indexed(engine: AsyncEngine, local: LocalEmbedder) -> None:
    odd = "'\\ \" :* <-> \u2028 \ud7ff 🙂 ﬁ İ ß " + "word" * 500 + " " + "many words " * 20_000
    await add_traces(engine, [{"title": odd, "context": odd, "solution": odd}])
    assert await search_index.refresh(engine) == 1


def test_every_short_form_stands_for_terms_that_stand_for_themselves() -> None:
    for short, long in analysis.SYNONYMS.items():
        assert analysis.word_terms(short)
        for word in long:
            assert word not in analysis.SYNONYMS, f"{short} -> {word} -> ..."
