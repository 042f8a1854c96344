"""The committed seeds, asked what developers ask: a change that makes search worse fails here.

The floors lie a little under what `make eval` measures, so that a new seed that answers one of the
questions as well as the old one breaks nothing.
"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from app.search.service import SearchService
from app.services.embeddings import LocalEmbedder

from evaluation import questions
from evaluation.questions import Question
from evaluation.rankers import served
from evaluation.relevance import Figures, rate, searchable
from tools.fixture.reader import read_fixture
from tools.paths import FIXTURE

KINDS = {"sentence", "keywords", "error", "log"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service() -> AsyncIterator[SearchService]:
    """Search over the committed seeds, embedded; only asked, so that the tests can share it."""
    embedder = LocalEmbedder()
    async with searchable(FIXTURE, embedder) as engine:
        ready = SearchService(engine, embedder)
        await ready.start()
        yield ready


in_one_loop = pytest.mark.asyncio(loop_scope="module")


async def figures(service: SearchService, asked: Sequence[Question]) -> Figures:
    return Figures.of(await rate(served(service), [q for q in asked if q.slugs]))


@in_one_loop
async def test_what_developers_asked_is_found_first(service: SearchService) -> None:
    found = await figures(service, questions.judged())
    assert found.first >= 0.97
    assert found.in_five >= 0.98


@in_one_loop
async def test_the_example_of_the_readme_finds_what_its_words_mean(service: SearchService) -> None:
    [first, *_] = (await service.search("react hooks useState")).results
    assert first.trace.slug == "react/usestate-setter-applies-on-next-render"


@in_one_loop
async def test_paraphrases_and_pasted_logs_are_found(service: SearchService) -> None:
    asked = questions.paraphrases()
    found = await figures(service, asked)
    assert found.first >= 0.85
    assert found.in_five >= 0.92
    logs = await figures(service, [question for question in asked if question.kind == "log"])
    assert logs.first >= 0.9


@in_one_loop
@pytest.mark.parametrize(
    ("noise", "floor"), [("half of the words", 0.9), ("a third misspelt", 0.95)]
)
async def test_spoilt_questions_are_found(service: SearchService, noise: str, floor: float) -> None:
    found = await figures(service, questions.noisy(questions.judged(), noise))
    assert found.first >= floor


@in_one_loop
async def test_other_languages_find_english_traces(service: SearchService) -> None:
    found = await figures(service, questions.languages())
    assert found.count == 10
    assert found.in_five >= 0.8


@in_one_loop
async def test_nonsense_and_everyday_questions_find_nothing(service: SearchService) -> None:
    rated = await rate(served(service), questions.off_topic())
    answered = [r.question.query for r in rated if r.answer and r.question.kind != "technical"]
    assert answered == []


@in_one_loop
async def test_nineteen_of_twenty_off_topic_questions_find_nothing(service: SearchService) -> None:
    rated = await rate(served(service), questions.off_topic())
    assert sum(not r.answer for r in rated) / len(rated) >= 0.93


@in_one_loop
async def test_weak_results_fall_away(service: SearchService) -> None:
    rated = await rate(served(service), questions.judged())
    assert sum(len(r.answer) for r in rated) / len(rated) <= 3


@pytest.mark.parametrize(
    "path", sorted(questions.FOLDER.glob("*.jsonl")), ids=lambda path: path.stem
)
def test_judgments_name_seeds_and_ask_once(path: Path) -> None:
    read = {
        "judgments": questions.judged,
        "paraphrases": questions.paraphrases,
        "languages": questions.languages,
        "off_topic": questions.off_topic,
    }[path.stem]()
    known = {seed.slug for seed in read_fixture(FIXTURE)}
    assert {slug for question in read for slug in question.slugs} <= known
    queries = [question.query for question in read]
    assert len(queries) == len(set(queries))
    if path.stem in {"judgments", "paraphrases"}:
        assert {question.kind for question in read} <= KINDS
        assert {question.category for question in read} <= {slug.split("/")[0] for slug in known}
