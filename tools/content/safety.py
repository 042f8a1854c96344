"""What a seed must not contain, because an agent will read it with its owner's rights.

Each function takes a seed and yields `(line, message)`; all of them are rules, in
`tools.content.rules`. What they cannot see is told in SECURITY.md.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tools.content.findings import Problem

if TYPE_CHECKING:
    from detect_secrets.plugins.base import RegexBasedDetector
    from markdown_it import MarkdownIt

    from tools.content.seed_file import Seed

SECRET_DETECTORS = (
    *("AWSKeyDetector", "AzureStorageKeyDetector", "DiscordBotTokenDetector"),
    *("GitHubTokenDetector", "GitLabTokenDetector", "MailchimpDetector", "NpmDetector"),
    *("OpenAIDetector", "PrivateKeyDetector", "PypiTokenDetector", "SendGridDetector"),
    *("SlackDetector", "SquareOAuthDetector", "StripeDetector", "TelegramBotTokenDetector"),
    "TwilioKeyDetector",
)
"""Those of detect-secrets that know a service's keys by their form, so that examples pass."""

INSTRUCTIONS = re.compile(
    r"""
    (ignore|disregard|forget|override)\ (all\ |any\ |the\ |your\ )*
        (previous|prior|above|earlier|other)\ (instructions?|rules?|prompts?|messages?)
    | (dear|attention|(note|instructions?|message)\ (to|for))\ (the\ |any\ |all\ )?(reading\ )?
        (ai|llm|assistants?|agents?|models?|claude|chatgpt|gpt|copilot|cursor)\b
    | (if|when|since|because|as)\ you\ are\ (an?\ )?
        (ai|llm|language\ model|(coding\ |ai\ )?(agent|assistant)|bot)\b
    | \byou\ are\ now\ (an?\ |the\ |in\ )
    | (do\ not|don't|never|without)\ (tell|inform|mention|ask|alert|notify)(ing)?
        (\ (this|it|that))?(\ to)?\ (the\ |your\ )(user|human|owner|operator)\b
    | </?(system|assistant|instructions?|important|tool_use|tool_call|function_calls?)>
    | \bagents?\ (must|should|shall|has\ to|have\ to)\ (now\ |always\ |first\ )?
        (run|execute|send|upload|post|fetch|delete|install|read)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
DOWNLOAD_INTO_SHELL = re.compile(
    r"""
    \b(curl|wget|iwr|irm|invoke-webrequest)\b[^\n]*\|\s*(sudo\s+(-\S+\s+)*)?
        ((ba|z|da|k)?sh|iex|invoke-expression|(python|node|perl|ruby)[\d.]*(\s+-)?\s*(['"`]|$))
    | \b(ba|z|da|k)?sh\b[^\n]*(<\(|\$\(|`)\s*(curl|wget)\b
    | (\b(eval|source)|^\s*\.)\s+[^\n]*(<\(|\$\()\s*(curl|wget)\b
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
BLOB = re.compile(r"[A-Za-z0-9+/_-]{160,}={0,2}|(?:\\x[0-9a-fA-F]{2}){40,}")
"""Encoded data long enough to hide something: nobody can review it."""
URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'`<>(){}\[\]]+", re.IGNORECASE)
LOCAL_SUFFIXES = ("localhost", ".local", ".internal", ".test", ".example", ".invalid")
LOCAL_DOMAINS = ("example.com", "example.org", "example.net")
WORD = re.compile(r"\w+")
UNUSUAL = re.compile(r"[^\n\t -~]")
UNSEEN = {"Cc", "Cf", "Cn", "Co", "Cs"}
"""Unicode's categories of control, format, unassigned, private and surrogate characters."""


def no_secret(seed: Seed) -> Iterator[Problem]:
    """No key of a real service, not even in a proof."""
    for detector in _detectors():
        for pattern in detector.denylist:
            for match in pattern.finditer(seed.text):
                yield _line(seed, match.start()), f"{detector.secret_type}; make it up or read it"


def no_invisible_character(seed: Seed) -> Iterator[Problem]:
    """No invisible, direction-changing, private or tag character."""
    for match in UNUSUAL.finditer(seed.text):
        if unicodedata.category(character := match[0]) in UNSEEN:
            name = unicodedata.name(character, "a control character")
            message = f"U+{ord(character):04X} {name} cannot be seen; remove it or escape it"
            yield _line(seed, match.start()), message


def no_homoglyph(seed: Seed) -> Iterator[Problem]:
    """No word of code that mixes look-alike letters of several scripts."""
    from confusable_homoglyphs import confusables

    for section in seed.sections:
        for fence in section.fences:
            if fence.code.isascii():
                continue
            for match in WORD.finditer(fence.code):
                word = match[0]
                if not word.isascii() and confusables.is_dangerous(word):
                    line = fence.line + 1 + fence.code.count("\n", 0, match.start())
                    yield line, f'"{word}" mixes letters that look alike; write it in one script'


def no_raw_html(seed: Seed) -> Iterator[Problem]:
    """No HTML in the prose, comments least of all: a page does not show what an agent reads."""
    for section in seed.sections:
        if "<" not in section.text:
            continue
        for token in _markdown().parse(section.text):
            kinds = {token.type, *(child.type for child in token.children or ())}
            if kinds & {"html_block", "html_inline"} and token.map:
                line = section.text_line + token.map[0]
                yield line, "raw HTML; write Markdown, and code in backticks"


def no_instruction_to_agents(seed: Seed) -> Iterator[Problem]:
    """No text that instructs the reading agent rather than telling the developer."""
    for match in INSTRUCTIONS.finditer(seed.text):
        text = " ".join(match[0].split())
        yield _line(seed, match.start()), f'"{text}" addresses the reading agent; tell what is so'


def no_download_into_shell(seed: Seed) -> Iterator[Problem]:
    """No command that runs what it downloads unseen."""
    for match in DOWNLOAD_INTO_SHELL.finditer(seed.text):
        message = "runs a download unseen; save it, check it, then run it"
        yield _line(seed, match.start()), message


def no_blob(seed: Seed) -> Iterator[Problem]:
    """No encoded data that nobody can read in a review."""
    for match in BLOB.finditer(seed.text):
        message = f"{len(match[0])} characters of encoded data; make the data in the code"
        yield _line(seed, match.start()), message


def safe_url(seed: Seed) -> Iterator[Problem]:
    """Links are https; no URL has a password for a host outside, or names a bare IP address."""
    for match in URL.finditer(seed.text):
        problem = _url_problem(match[0].rstrip(".,;:"))
        if problem:
            yield _line(seed, match.start()), problem


RULES = (
    no_secret,
    no_invisible_character,
    no_homoglyph,
    no_raw_html,
    no_instruction_to_agents,
    no_download_into_shell,
    no_blob,
    safe_url,
)


def _url_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return None  # no URL after all, e.g. a pattern
    address = _address(host)
    local = (
        "." not in host
        or host.endswith(LOCAL_SUFFIXES)
        or host.endswith(LOCAL_DOMAINS)
        or bool(address and not address.is_global)
    )
    if local or re.search(r"[^a-z0-9.:-]", host):  # a placeholder, e.g. $HOST
        return None
    if parts.password:
        return f"a password in a URL of {host}; use example.com"
    if address:
        return f"{host} is a bare address; use example.com or a documentation address"
    if parts.scheme == "http":
        return f"http://{host} is not encrypted; link with https, or use example.com"
    return None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _line(seed: Seed, position: int) -> int:
    return seed.text.count("\n", 0, position) + 1


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")


@cache
def _detectors() -> tuple[RegexBasedDetector, ...]:
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    known: Iterable[type[RegexBasedDetector]] = get_mapping_from_secret_type_to_class().values()
    return tuple(detector() for detector in known if detector.__name__ in SECRET_DETECTORS)
