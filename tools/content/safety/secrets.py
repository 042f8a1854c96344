"""Keys of services, known by their form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from tools.content.safety.passages import Passage, Problem, whole
from tools.paths import CACHE

if TYPE_CHECKING:
    from detect_secrets.plugins.base import RegexBasedDetector
    from kingfisher_sdk import Scanner

    from tools.content.seed_file import Seed

DETECTORS = (
    *("AWSKeyDetector", "AzureStorageKeyDetector", "DiscordBotTokenDetector"),
    *("MailchimpDetector", "NpmDetector", "PrivateKeyDetector", "SquareOAuthDetector"),
    *("TelegramBotTokenDetector", "TwilioKeyDetector"),
)
"""Those of detect-secrets that know, by its form alone, what Kingfisher asks more context for."""
BY_CONTEXT = ("generic",)
"""Rules of Kingfisher that guess by the words around; `safe-url` looks at passwords in URLs."""
UNKNOWN_TO_BOTH = {
    "Stripe webhook secret": re.compile(r"\bwhsec_[A-Za-z0-9+/]{32,}={0,2}"),
    "Google client secret": re.compile(r"\bGOCSPX-[A-Za-z0-9_-]{28}(?![\w-])"),
    "Supabase secret key": re.compile(r"\bsb_secret_[A-Za-z0-9_-]{22}_[A-Za-z0-9_-]{8}(?![\w-])"),
    "Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{34}\b"),
    "AWS secret key": re.compile(
        r"aws_?(?:secret|session)_?(?:access_?)?key[\"']?\s{0,3}[=:]\s{0,3}[\"']?"
        r"(?=[A-Za-z+/]{0,39}\d)[A-Za-z0-9+/]{40}\b",
        re.IGNORECASE,
    ),
    "database password": re.compile(
        r"(?:Server|Data Source)=(?![^;\n]{0,60}(?:localhost|127\.0\.0\.1|example))"
        r"[^;\n]{1,100}\.[^\n]{0,200}"
        r";\s?(?:Password|Pwd)=(?![{$<*])[^;\n\"']{6,80}",
        re.IGNORECASE,
    ),
}
"""The forms that neither library knows."""


def no_secret(seed: Seed) -> Iterator[Problem]:
    """No key of a real service, not even in a proof."""
    for passage in whole(seed):
        found = {**_by_kingfisher(passage), **_by_pattern(passage)}
        for line, kind in sorted(found.items()):
            yield line, f"the form of a key ({kind}); make it up, or read it from outside"


def _by_kingfisher(passage: Passage) -> dict[int, str]:
    """What Kingfisher finds, by line."""
    return {
        passage.line + finding.location["line"] - 1: name
        for finding in _scanner().scan(passage.text.encode(errors="replace"))
        if finding.visible and not (name := _name(finding.rule_id)).startswith(BY_CONTEXT)
    }


def _name(rule: str) -> str:
    return rule.rpartition("/")[2].removeprefix("betterleaks.").replace("-", " ")


def _by_pattern(passage: Passage) -> dict[int, str]:
    known = [(d.secret_type, pattern) for d in _detectors() for pattern in d.denylist]
    return {
        line: kind
        for kind, pattern in (*known, *UNKNOWN_TO_BOTH.items())
        for line, _ in passage.matches(pattern)
    }


@cache
def _scanner() -> Scanner:
    """Load Kingfisher's rules; compiling them takes seconds, once. It asks no network."""
    from kingfisher_sdk import Rules, Scanner

    CACHE.mkdir(exist_ok=True)
    return Scanner(Rules(confidence="medium", cache_dir=CACHE / "kingfisher"))


@cache
def _detectors() -> tuple[RegexBasedDetector, ...]:
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    known: Iterable[type[RegexBasedDetector]] = get_mapping_from_secret_type_to_class().values()
    return tuple(detector() for detector in known if detector.__name__ in DETECTORS)
