"""What a question may cost: whoever asks, others do not wait for it."""

import asyncio
import random
import string
import threading
import unicodedata
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from app.search import query as reading
from app.search import service as search_module
from app.search.index import Vocabulary
from app.search.query import MOST_TYPOS, MOST_WORDS, QueryTerms, read_query
from app.search.service import READ_AT_ONCE, SearchService
from app.services import embeddings
from app.services.embeddings import LONGEST_QUESTION, LocalEmbedder, Vector
from sqlalchemy.ext.asyncio import AsyncEngine

LIGATURE = "\ufdfa"
"""One character, eighteen when it is normalised."""


@pytest.fixture
async def embedder() -> AsyncIterator[LocalEmbedder]:
    """An embedder of this test's own."""
    async with aclosing(LocalEmbedder()) as opened:
        await opened.load()
        yield opened


@pytest.mark.parametrize("character", [LIGATURE, "漢", "a ", "🙂", "e\u0301"])
async def test_no_more_of_a_question_is_embedded_than_its_bound(
    embedder: LocalEmbedder, character: str
) -> None:
    encoded = unicodedata.normalize("NFKC", character * 1000).encode()[:LONGEST_QUESTION]
    beginning = encoded.decode(errors="ignore")
    assert await embedder.embed_query(character * 4000) == await embedder.embed_query(beginning)


async def test_a_document_is_cut_when_it_is_normalised(
    monkeypatch: pytest.MonkeyPatch, embedder: LocalEmbedder
) -> None:
    lengths = []

    def encode(texts: list[str]) -> list[Vector]:
        lengths.extend(len(unicodedata.normalize("NFKC", text)) for text in texts)
        return [[1.0]] * len(texts)

    monkeypatch.setattr(embeddings, "_encode", encode)
    await embedder.embed_documents([LIGATURE * 8000, "short"])
    assert lengths == [8000, 5]


async def test_a_question_does_not_wait_for_the_embedding_of_another(
    monkeypatch: pytest.MonkeyPatch, embedder: LocalEmbedder
) -> None:
    encode, embedding, released = embeddings._encode, threading.Event(), threading.Event()

    def slow(texts: list[str]) -> list[Vector]:
        if texts == ["long"]:
            embedding.set()
            released.wait(30)
        return encode(texts)

    monkeypatch.setattr(embeddings, "_encode", slow)
    long = asyncio.create_task(embedder.embed_query("long"))
    await asyncio.to_thread(embedding.wait, 30)
    assert await embedder.embed_query("short")
    assert not long.done()
    released.set()
    await long


@pytest.mark.parametrize("length", [READ_AT_ONCE, READ_AT_ONCE + 1])
async def test_only_a_short_question_is_read_on_the_event_loop(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    threads = []

    def read(question: str, vocabulary: Vocabulary) -> QueryTerms:
        threads.append(threading.current_thread() is threading.main_thread())
        return read_query(question, vocabulary)

    monkeypatch.setattr(search_module, "read_query", read)
    await SearchService(engine, None).search("x" * length)
    assert threads == [length == READ_AT_ONCE]


def unknown_words(count: int) -> list[str]:
    """Words that no vocabulary has."""
    chosen = random.Random(1)
    return ["".join(chosen.choices(string.ascii_lowercase, k=6)) for _ in range(count)]


def test_few_of_many_unknown_words_are_looked_up_as_misspelt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_up = set()
    extract = reading.process.extract

    def count(word: str, *arguments: object, **options: object) -> object:
        looked_up.add(word)
        return extract(word, *arguments, **options)

    monkeypatch.setattr(reading.process, "extract", count)
    vocabulary = Vocabulary(3, {"docker": 1, "container": 2})
    read_query(" ".join(unknown_words(600)), vocabulary)
    assert len(looked_up) == MOST_TYPOS


def test_a_misspelt_word_is_mended_after_many_that_are_known() -> None:
    known = unknown_words(100)
    vocabulary = Vocabulary(3, dict.fromkeys([*known, "docker", "container"], 1))
    for slip in ("dokcer", "dockker", "docer", "dockor"):
        found = read_query(" ".join([*known[:5], slip]), vocabulary)
        assert "docker" in found.candidates, slip


def test_a_question_is_read_up_to_its_bound_of_words() -> None:
    vocabulary = Vocabulary(3, {"docker": 1})
    filling = unknown_words(MOST_WORDS - 1)
    assert "docker" in read_query(" ".join([*filling, "docker"]), vocabulary).candidates
    assert "docker" not in read_query(" ".join([*filling, "x1", "docker"]), vocabulary).candidates
    repeated = " ".join([*filling * 3, "docker"])
    assert "docker" in read_query(repeated, vocabulary).candidates
