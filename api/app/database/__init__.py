"""The target database: how it is reached, what it must have, what it can do wrong."""

from app.database.engine import Limits, connected_engine

__all__ = ["Limits", "connected_engine"]
