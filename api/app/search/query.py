"""A question, read against the vocabulary: which terms it has and how much each one tells."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from rapidfuzz import process
from rapidfuzz.distance import OSA

from app.search.index import Vocabulary
from app.search.terms import word_terms, words

MOST_WORDS = 400
"""Words of a question that are read, each once; what follows is a log's repetition."""

MOST_TERMS = 12
"""Terms of a question that are looked for; a pasted log has more, and the rarest tell most."""

MOST_CANDIDATES = 120
"""Documents that are fetched for their terms, about; ranking costs as much as there are of them."""

ALIKE = 0.75
"""Terms whose weights differ by no more than this factor are ranked as one group."""

PART_WEIGHT = 0.3
"""Of `use` and `state` in a question with `useState`, when the corpus knows `usestate`."""

SMALL = 50
"""Documents. A corpus of fewer lacks most words, whatever they are about; in a larger one a missing
word mostly names the product or the language that the question is about, and counts up to twice."""

SHORTEST_MISSING = 3
"""Letters; shorter ones are endings of file names and the like."""

MOSTLY = 0.5
"""Share of a question's words at which, when the corpus lacks them, the others say nothing."""

SHORTEST_TYPO = 5
"""Letters; shorter words have too many neighbours."""

MOST_TYPOS = 20
"""Words of a question that are looked up as misspelt ones: each costs as much as all others to read
together, and a question that the corpus lacks more of is in another language."""


@dataclass(frozen=True)
class QueryTerms:
    """What full-text search looks for."""

    groups: Sequence[str] = ()
    """Tsqueries, each of the terms that tell about as much: PostgreSQL ranks a group as fast as one
    term."""
    weights: Sequence[float] = ()
    """How much each group tells: the sum of its terms' weights."""
    total: float = 0.0
    """The weights of all words of the question, those that the corpus lacks included."""
    candidates: str = ""
    """A tsquery that few documents match, and those that have the most telling terms."""
    foreign: bool = False
    """Whether the corpus lacks most of the words: the question is in another language, or about
    another subject."""


def read_query(question: str, vocabulary: Vocabulary) -> QueryTerms:
    """Cut a question into terms, weigh them, mend misspelt ones, and choose the candidates."""
    weights: dict[str, float] = {}
    missing: set[str] = set()
    strange = 0
    typos = 0
    read = list(islice(dict.fromkeys(words(question)), MOST_WORDS))
    for found in dict.fromkeys(filter(None, map(word_terms, read))):
        known = _known_weights(found, vocabulary)
        if found[0] not in vocabulary.terms:
            missing.add(found[0])
            strange += not known
        if not known and typos < MOST_TYPOS and _may_be_misspelt(found):
            typos += 1
            known = _mended_weight(found[0], vocabulary)
        for term, weight in known.items():
            weights[term] = max(weight, weights.get(term, 0.0))
    rarest = sorted(weights, key=lambda term: (-weights[term], term))[:MOST_TERMS]
    groups = _groups([(term, weights[term]) for term in rarest])
    return QueryTerms(
        groups=[_any(term for term, _ in group) for group in groups],
        weights=[sum(weight for _, weight in group) for group in groups],
        total=sum(weights[term] for term in rarest) + _missing_weight(missing, vocabulary),
        candidates=_candidates(rarest, vocabulary),
        foreign=strange >= MOSTLY * len(read),
    )


def _known_weights(found: Sequence[str], vocabulary: Vocabulary) -> dict[str, float]:
    """Return the weights of the terms of one word that the corpus has."""
    known = {
        term: _weight(count, vocabulary)
        for term in found
        if (count := vocabulary.terms.get(term)) is not None
    }
    if len(found) > 1 and found[0] in known:
        return {
            term: weight if term == found[0] else PART_WEIGHT * weight
            for term, weight in known.items()
        }
    return known


def _weight(documents: int, vocabulary: Vocabulary) -> float:
    """Return how much a term tells, always more than 0.

    It is the root of the inverse document frequency as BM25 has it (Robertson and Zaragoza 2009).
    Without the root the rarest words outvote all others.
    """
    return math.sqrt(math.log(1 + (vocabulary.documents - documents + 0.5) / (documents + 0.5)))


def _missing_weight(missing: Iterable[str], vocabulary: Vocabulary) -> float:
    """Return what the words would tell that the corpus lacks. Numbers and hashes tell nothing.

    Identifiers of which it has the parts, and misspelt words that were mended, are missing too: the
    parts may mean another thing, and the mended spelling is a guess.
    """
    number = sum(term.isalpha() and len(term) >= SHORTEST_MISSING for term in missing)
    largeness = vocabulary.documents / (vocabulary.documents + SMALL)
    return (1 + largeness) * number * _weight(0, vocabulary)


def _may_be_misspelt(found: Sequence[str]) -> bool:
    """Say whether a word, by the terms that it is cut into, can be a misspelt one."""
    word = found[0]
    return len(found) == 1 and len(word) >= SHORTEST_TYPO and word.isalpha() and word.isascii()


def _mended_weight(word: str, vocabulary: Vocabulary) -> dict[str, float]:
    """Return the most frequent term that is one slip away from a word, with its weight, if any.

    A slip is a letter too many, too few, wrong, or two exchanged, but never the first.
    """
    near = [
        term
        for length in range(len(word) - 1, len(word) + 2)
        for term, *_ in process.extract(
            word,
            vocabulary.words.get((word[0], length), ()),
            scorer=OSA.distance,
            score_cutoff=1,
            limit=None,
        )
    ]
    if not near:
        return {}
    spelling = max(near, key=vocabulary.terms.__getitem__)
    return {spelling: _weight(vocabulary.terms[spelling], vocabulary)}


def _groups(weighted: Sequence[tuple[str, float]]) -> list[list[tuple[str, float]]]:
    """Return terms, heaviest first, put together where their weights are alike."""
    groups: list[list[tuple[str, float]]] = []
    for term, weight in weighted:
        if groups and weight >= ALIKE * groups[-1][0][1]:
            groups[-1].append((term, weight))
        else:
            groups.append([(term, weight)])
    return groups


def _candidates(rarest: Sequence[str], vocabulary: Vocabulary) -> str:
    """Return a tsquery of the rarest terms, any of them, as long as few documents have one.

    Where even the rarest is common, documents must have two of the rarest four.
    """
    chosen: list[str] = []
    documents = 0
    for term in rarest:
        documents += vocabulary.terms[term]
        if documents > MOST_CANDIDATES:
            break
        chosen.append(term)
    if chosen:
        return _any(chosen)
    pairs = [f"({a} & {b})" for i, a in enumerate(rarest[:4]) for b in rarest[i + 1 : 4]]
    return _any(pairs or rarest)


def _any(parts: Iterable[str]) -> str:
    return " | ".join(parts)
