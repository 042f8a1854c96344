"""Where settings come from, and what is said of one that cannot be used."""

from pathlib import Path

import pytest
from app.config import Settings, load_settings
from app.errors import ConfigError


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing from the environment or the checkout's `.env`."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setitem(Settings.model_config, "env_file", None)


def test_the_environment_goes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".env"
    file.write_text("DATABASE_URL=postgresql://from-file/db\nCONNECT_TIMEOUT=3\n")
    monkeypatch.setitem(Settings.model_config, "env_file", file)
    assert load_settings().database_url == "postgresql://from-file/db"
    monkeypatch.setenv("DATABASE_URL", "postgresql://from-environment/db")
    assert load_settings().database_url == "postgresql://from-environment/db"
    assert load_settings().connect_timeout == 3.0
    assert load_settings(database_url="postgres://argument/db").database_url == (
        "postgres://argument/db"
    )
    assert load_settings(database_url=None).database_url == "postgresql://from-environment/db"


def test_an_empty_url_means_the_embedded_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    assert load_settings().database_url is None


def test_every_bad_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://me:secret@host/db")
    monkeypatch.setenv("CONNECT_TIMEOUT", "soon")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    message = caught.value.message
    assert "DATABASE_URL: expected postgresql://user:password@host:port/database" in message
    assert "CONNECT_TIMEOUT: " in message
    assert "secret" not in message
    assert "\n" not in message


def test_every_setting_is_documented() -> None:
    undocumented = [n for n, field in Settings.model_fields.items() if not field.description]
    assert undocumented == []
