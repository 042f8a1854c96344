"""Where a seed sends its reader."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from tools.content.safety.hosts import COLLECTORS, KNOWN_DOMAINS, SHORTENERS
from tools.content.safety.passages import Problem, inline_tokens, whole

if TYPE_CHECKING:
    from markdown_it.token import Token

    from tools.content.seed_file import Seed

URL = re.compile(
    r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{1,30}://(?:[^\s\"'`<>(){}\[\]/]{0,200}@)?"
    r"(?:\[[0-9a-f:.]{2,45}\])?[^\s\"'`<>(){}\[\]]{0,2000}",
    re.IGNORECASE,
)
PLACEHOLDER = re.compile(r"[$*\\|%,;]|^[A-Z][A-Z0-9_]*$|\.\.")
"""What stands for a host or a user, or what is no URL after all but a pattern."""
LOCAL_SUFFIXES = ("localhost", ".local", ".internal", ".test", ".example", ".invalid")
LOCAL_DOMAINS = ("example.com", "example.org", "example.net")
UNENCRYPTED = ("http", "ftp", "ws", "git", "telnet")
NUMBER = re.compile(r"0x[0-9a-f]+|[0-9]+")
METADATA = re.compile(
    r"(?<![\d.])169\.254\.169\.254(?![\d.])|(?<![\d.])169\.254\.170\.2(?![\d.])"
    r"|metadata\.google\.internal|fd00:ec2::254|(?<![\d.])100\.100\.100\.200(?![\d.])"
    r"|metadata\.azure\.(?:com|internal)|(?<![\d.])192\.0\.0\.192(?![\d.])",
    re.IGNORECASE,
)
"""Where clouds hand their machines credentials: AWS, Google, Azure, Alibaba, Oracle."""
TRANSPORTS = ("http", "ws", "ftp", "git", "ssh")
"""Schemes whose URLs name a host of the network."""


def safe_url(seed: Seed) -> Iterator[Problem]:
    """URLs are encrypted, and of a host by its name: no password, address, disguise or detour."""
    for passage in whole(seed):
        for line, match in passage.matches(URL):
            if problem := url_problem(match[0].rstrip(".,;:")):
                yield line, problem
        for line, match in passage.matches(METADATA):
            yield line, f"{match[0]} hands out a machine's credentials; use example.com"


def safe_link(seed: Seed) -> Iterator[Problem]:
    """Links lead to https, and to the host that their text names."""
    for section in seed.sections:
        for line, token, rest in inline_tokens(section) if ":" in section.text else ():
            if token.type == "link_open":
                target = str(token.attrs.get("href", ""))
                if problem := _link_problem(target, _text_of(rest)):
                    yield line, problem


def unknown_host(seed: Seed) -> Iterator[Problem]:
    """Hosts are examples or known to the corpus; others are looked up by the reviewer."""
    seen: set[str] = set()
    for passage in whole(seed):
        for line, match in passage.matches(URL):
            host = _host(match[0].rstrip(".,;:"))
            if match[0].startswith(TRANSPORTS) and host not in seen and not _is_known(host):
                seen.add(host)
                yield line, f"{host} is known to no other seed; look at it"


def url_problem(url: str) -> str | None:
    """Say what is wrong with a URL, and what would be right."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        user = parts.username or ""
    except ValueError:
        return None  # no URL after all, e.g. a pattern
    if not host or PLACEHOLDER.search(host):
        return None
    return _host_problem(host) or _part_problem(parts, host, user)


def is_local(host: str) -> bool:
    """Say whether a host stands for an example, or for this machine or network."""
    address = _address(host)
    return (
        "." not in host.replace(":", ".")
        or host.endswith(LOCAL_SUFFIXES)
        or any(host == domain or host.endswith(f".{domain}") for domain in LOCAL_DOMAINS)
        or bool(address and not address.is_global)
    )


def domain_is_among(host: str, domains: frozenset[str]) -> bool:
    """Say whether a host is one of the domains, or below one."""
    labels = host.split(".")
    return any(".".join(labels[start:]) in domains for start in range(len(labels)))


def _host_problem(host: str) -> str | None:
    if not host.isascii() or any(label.startswith("xn--") for label in host.split(".")):
        return f"{host} is written in letters that can look like others; use an ASCII host"
    if not _address(host) and all(NUMBER.fullmatch(label) for label in host.split(".")):
        return f"{host} is an address in disguise; use example.com"
    if domain_is_among(host, SHORTENERS):
        return f"{host} hides where it leads; link to the page itself"
    if domain_is_among(host, COLLECTORS):
        return f"{host} takes anything from anybody; use example.com"
    return None


def _part_problem(parts: SplitResult, host: str, user: str) -> str | None:
    if is_local(host):
        return None
    if parts.password and not PLACEHOLDER.search(parts.password):
        return f"a password in a URL of {host}; use example.com"
    if (
        user
        and not parts.password
        and parts.scheme.startswith(("http", "git+http"))
        and not PLACEHOLDER.search(user)
    ):
        return f'"{user}@" is not the host, {host} is; leave it out'
    if _address(host):
        return f"{host} is a bare address; use example.com or a documentation address"
    if parts.scheme in UNENCRYPTED:
        return f"{parts.scheme}://{host} is not encrypted; link with https, or use example.com"
    return None


def _link_problem(target: str, text: str) -> str | None:
    if not target.startswith("https://"):
        return f'a link to "{target[:40]}"; link to https://… only'
    host = urlsplit(target).hostname or ""
    named = re.match(
        r"(?:https?://)?((?:[a-z0-9-]+\.)+[a-z]{2,})(?:[/:]\S*)?$", text.strip().lower()
    )
    if named and not _is_same_site(host, named[1]):
        return f"the text names {named[1]}, the link leads to {host}; name one host"
    return None


def _is_same_site(host: str, named: str) -> bool:
    return host == named or host.endswith(f".{named}") or named.endswith(f".{host}")


def _text_of(tokens: tuple[Token, ...]) -> str:
    """The text up to the link's end."""
    text = ""
    for token in tokens:
        if token.type == "link_close":
            break
        text += token.content
    return text


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_known(host: str) -> bool:
    is_name = re.fullmatch(r"(?:[a-z0-9-]+\.)+[a-z]{2,}", host)
    return not is_name or is_local(host) or domain_is_among(host, KNOWN_DOMAINS)
