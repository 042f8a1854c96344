"""Failures that a user can mend: one line on standard error, exit status 1, no traceback."""

import click


class AppError(click.ClickException):
    """An expected failure. The message is one line: what is wrong, where, and what to do."""


class ConfigError(AppError):
    """A setting is missing or has a value that cannot be used."""


class TargetError(AppError):
    """The target database cannot be reached or is not ready for the command."""
