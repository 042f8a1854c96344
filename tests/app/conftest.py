"""What the tests of the service share."""

import pytest
from app.services.embeddings import LocalEmbedder


@pytest.fixture(scope="session")
def local() -> LocalEmbedder:
    """The local model, loaded once."""
    return LocalEmbedder()
