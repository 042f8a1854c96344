"""Words to terms: the one way in which traces and questions are cut up for full-text search.

A term is a stemmed, lowercase word. An identifier gives itself and its parts, so that `useState`,
`use_state` and "use state" meet: `usestate`, `use`, `state`. What PostgreSQL's own parser makes of
code (hosts, file names, numbers with signs) finds nothing, which is why this is done here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain

import snowballstemmer

VERSION = 4
"""Raise it when a text gives other terms than before: all documents are then indexed anew."""

SHORTEST_TERM = 2
"""Characters. Single letters and digits stand in every text."""

LONGEST_TERM = 60
"""Characters. Longer words are hashes, tokens and encoded data."""

_STOP_WORDS = """
a about after again all also although always am an and any are as at be because been before being
both but by can cannot could did do does doing done each else even every for from get gets getting
give gives go goes going got had has have having he her here him his how however i if in instead
into is it its itself just let like make makes many may me might more most much must my need needs
no nor not now of off on once one only or other our out over own please same see she should so
some still such t s than that the their them then there these they thing this those through to too
try trying under up us use used uses using very via want wants was way we were what when where
whether which while who why will with within without won would yet you your arent cant couldnt
didnt doesnt dont hasnt havent im isnt ive shouldnt thats theres wasnt wont wouldnt
"""

STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Words that do not tell one problem from another. They still count inside identifiers."""

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "apis": ("api",),
    "auth": ("authentication",),
    "authn": ("authentication",),
    "authz": ("authorization",),
    "config": ("configuration",),
    "conf": ("configuration",),
    "db": ("database",),
    "deps": ("dependency",),
    "dev": ("development",),
    "dir": ("directory",),
    "dirs": ("directory",),
    "folder": ("directory",),
    "env": ("environment",),
    "envs": ("environment",),
    "err": ("error",),
    "gh": ("github",),
    "gha": ("github", "actions"),
    "golang": ("go",),
    "js": ("javascript",),
    "k8s": ("kubernetes",),
    "kube": ("kubernetes",),
    "msg": ("message",),
    "nodejs": ("node",),
    "param": ("parameter",),
    "params": ("parameter",),
    "perms": ("permission",),
    "pg": ("postgresql",),
    "postgres": ("postgresql",),
    "psql": ("postgresql",),
    "pgsql": ("postgresql",),
    "prod": ("production",),
    "py": ("python",),
    "reactjs": ("react",),
    "repo": ("repository",),
    "repos": ("repository",),
    "req": ("request",),
    "rerender": ("re", "render"),
    "rtl": ("testing", "library"),
    "sa": ("sqlalchemy",),
    "ts": ("typescript",),
    "tx": ("transaction",),
    "txn": ("transaction",),
    "vuejs": ("vue",),
    "ws": ("websocket",),
    "yml": ("yaml",),
}
"""Short forms of the field, and what they stand for."""

_WORD = re.compile(r"\w+(?:[-'’]\w+)*")  # with hyphens and apostrophes inside
_ASCII, _EAST_ASIAN = "[a-zA-Z0-9]", "[\u0e00-\u0eff\u3040-\ud7af]"  # Thai to Hangul, no spaces
_SCRIPTS = re.compile(rf"(?<={_ASCII})(?={_EAST_ASIAN})|(?<={_EAST_ASIAN})(?={_ASCII})")
_DOT_JS = re.compile(r"(?i)\b(next|node|react|vue|express|nuxt|three|alpine)\.js\b")
_PARTS = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*|[0-9]+[a-z]*")  # ERR, Http2, 404

_NO_APOSTROPHES = str.maketrans("", "", "'’")

_stemmer = snowballstemmer.stemmer("english")


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """Return the stem of a lowercase English word; other words come back as they are or nearly."""
    return str(_stemmer.stemWord(word))


@lru_cache(maxsize=1 << 16)
def word_terms(word: str) -> tuple[str, ...]:
    """Return terms of one word as it stands in the text; the word as a whole first.

    Empty for stop words and for what is too long to be one.
    """
    if len(word) > LONGEST_TERM:
        return ()
    plain = word.strip("_").translate(_NO_APOSTROPHES)
    parts = [part.lower() for part in _PARTS.findall(plain)] if plain.isascii() else []
    whole = "".join(parts) or plain.lower()
    if whole in SYNONYMS:
        return tuple(stem(synonym) for synonym in SYNONYMS[whole])
    if whole in STOP_WORDS or len(whole) < SHORTEST_TERM:
        return ()
    if len(parts) <= 1:
        return (stem(whole),)
    expanded = (stem(word) for part in parts for word in SYNONYMS.get(part, (part,)))
    return tuple(dict.fromkeys((whole, *(term for term in expanded if len(term) >= SHORTEST_TERM))))


def words(text: str) -> list[str]:
    """Return the words of a text, identifiers whole."""
    return _WORD.findall(_SCRIPTS.sub(" ", _DOT_JS.sub(r"\1js", text)))


def terms(text: str) -> Iterator[tuple[str, ...]]:
    """For each word of a text that has any, its terms."""
    return (found for word in words(text) if (found := word_terms(word)))


def document_terms(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return a document's terms, each with the best weight (A to D) of the fields it stands in.

    How often it stands there is left out: questions are short, and what decides is which of their
    words a document has at all. It also keeps the index small.

    Args:
        fields: pairs of a weight and a text, best weight first.
    """
    best: dict[str, str] = {}
    for weight, text in fields:
        for term in chain.from_iterable(terms(text)):
            best.setdefault(term, weight)
    return best


def tsvector_literal(document: Mapping[str, str]) -> str:
    """Write a document's terms as PostgreSQL reads a tsvector; they are letters and digits only."""
    return " ".join(f"'{term}':1{weight}" for term, weight in document.items())
