"""Settings, read from the environment and from `.env` at the root of the checkout."""

from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
"""The root of the checkout."""

EMBEDDING_DIMENSIONS = 512
"""Length of a vector: what the bundled local model gives, and text-embedding-3-small can give."""

DATABASE_SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")
DATABASE_URL_FORM = "postgresql://user:password@host:port/database"
"""What messages show as the right form."""


class EmbeddingProvider(StrEnum):
    """Where vectors come from."""

    LOCAL = "local"
    OPENAI = "openai"


def _check_database_url(url: str | None) -> str | None:
    """Return the URL as it is, or None for an empty one.

    Raises:
        ValueError: if the scheme is not one of `DATABASE_SCHEMES`.
    """
    if not url:
        return None
    if url.partition("://")[0] not in DATABASE_SCHEMES:
        raise ValueError(f"expected {DATABASE_URL_FORM}")
    return url


def _split(names: Any) -> Any:
    """Return a comma-separated list as the environment holds it; anything else as it is."""
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else names


class Settings(BaseSettings):
    """All settings of the service, the worker and the tools; each has a default that works."""

    model_config = SettingsConfigDict(
        env_file=ROOT / ".env", env_file_encoding="utf-8", extra="ignore"
    )

    database_url: Annotated[str | None, AfterValidator(_check_database_url)] = Field(
        default=None,
        repr=False,  # it may hold a password
        description=(
            "The target, a PostgreSQL with pgvector: postgresql://user:password@host:5432/name; "
            "postgres:// and postgresql+asyncpg:// mean the same, several hosts are separated by "
            "commas, ?host=/path names a Unix socket. Empty: the embedded server."
        ),
    )
    data_dir: Path = Field(
        default=ROOT / ".data",
        description="Folder of the embedded server, used where DATABASE_URL is empty.",
    )
    connect_timeout: float = Field(
        default=10.0, gt=0, description="Seconds to wait for a connection to the target."
    )

    embedding_provider: EmbeddingProvider = Field(
        default=EmbeddingProvider.LOCAL,
        description="Where vectors come from: local (bundled weights) or openai.",
    )
    openai_api_key: SecretStr = Field(
        default=SecretStr(""), description="Key of the OpenAI-compatible embedding server."
    )
    openai_base_url: str | None = Field(
        default=None,
        description="Base URL of the OpenAI-compatible embedding server. Empty: OpenAI itself.",
    )
    openai_embedding_model: str = Field(
        default="text-embedding-3-small",
        description="Model that the OpenAI-compatible embedding server is asked for.",
    )
    openai_timeout: float = Field(
        default=30.0, gt=0, description="Seconds to wait for an answer of that server."
    )
    openai_max_retries: int = Field(
        default=4, ge=0, description="Times that a call is repeated on 429, 5xx or no answer."
    )

    worker_batch_size: int = Field(
        default=32, ge=1, description="Traces that the worker claims and embeds in one call."
    )
    worker_poll_seconds: float = Field(
        default=5.0, gt=0, description="Seconds between two looks of the worker for new traces."
    )

    pool_size: int = Field(
        default=8, ge=1, description="Connections to the target that the service's requests share."
    )
    pool_timeout: float = Field(
        default=1.0,
        gt=0,
        description="Seconds that a request waits for one of them before it is answered with 503.",
    )
    statement_timeout: float = Field(
        default=5.0, gt=0, description="Seconds that a statement of a request may take."
    )
    max_searches: int = Field(
        default=64,
        ge=1,
        description="Searches under way at once; the next one is answered with 503.",
    )
    shutdown_timeout: int = Field(
        default=30, ge=0, description="Seconds that running requests get to end after SIGTERM."
    )
    log_queries: bool = Field(
        default=False, description="Whether logs hold what was searched for: it may be private."
    )
    mcp_hosts: Annotated[list[str], NoDecode, BeforeValidator(_split)] = Field(
        default=["localhost", "127.0.0.1", "[::1]"],
        description=(
            "Names, separated by commas, under which clients reach /mcp. Others are refused, so "
            "that a page in somebody's browser cannot pass for a client (DNS rebinding)."
        ),
    )


def load_settings(**overrides: object) -> Settings:
    """Read the settings; keyword arguments that are not None win over the environment.

    Raises:
        ConfigError: naming every setting whose value cannot be used.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = (
            f"{str(e['loc'][0]).upper()}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        )
        raise ConfigError("; ".join(problems)) from None


@lru_cache
def get_settings() -> Settings:
    """Return the settings of this process, read once."""
    return load_settings()
