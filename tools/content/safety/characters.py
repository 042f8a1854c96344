"""Characters that a reader does not see, or takes for others."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tools.content.safety.passages import Problem, code, prose, whole

if TYPE_CHECKING:
    from tools.content.seed_file import Seed

UNUSUAL = re.compile(r"[^\n\t -~]")
UNSEEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
"""Unicode's categories of control, format, unassigned, private and surrogate characters, and of
the separators of lines and paragraphs, which end a JavaScript comment."""
IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef\u2800\U00016fe4\U0001d159]"
)
"""What UNSEEN leaves of Default_Ignorable_Code_Point (Unicode's DerivedCoreProperties.txt), and
three characters that have a blank for a glyph."""
EMOJI = re.compile(
    "[#*0-9\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf"
    "\u2934\u2935\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f004-\U0001faff]"
)
"""What U+FE0F may follow, once, to ask for a coloured glyph (emoji-variation-sequences.txt)."""
EMOJI_STYLE = "\ufe0f"
ENTITY = re.compile(r"&(?:#\d{1,8}|#[xX][0-9a-fA-F]{1,8}|[A-Za-z][A-Za-z0-9]{1,40});")
WORD = re.compile(r"\w+")
LOOKS_LIKE_PUNCTUATION = frozenset("\u01c0\u01c1\u01c2\u01c3\ua78c")
"""Letters that look like | and ! and ', and that a name may hold."""
FOREIGN = ("CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU", "GREEK")
"""Scripts with letters that look like Latin ones, as Unicode's names of characters begin."""


def no_invisible_character(seed: Seed) -> Iterator[Problem]:
    """No invisible, direction-changing, private or tag character, not even as an escape."""
    for passage in whole(seed):
        for line, match in passage.matches(UNUSUAL):
            if _is_unseen(passage.text, match.start()):
                yield line, f"{_named(match[0])} cannot be seen; remove it"
    for passage in prose(*seed.sections):
        for line, match in passage.matches(ENTITY):
            if any(_is_unseen(character, 0) for character in html.unescape(match[0])):
                yield line, f'"{match[0]}" cannot be seen on a page; remove it'


def no_homoglyph(seed: Seed) -> Iterator[Problem]:
    """No word that mixes look-alike letters of several scripts, nor code in other letters."""
    for passage in whole(seed):
        for line, match in passage.matches(WORD):
            if not match[0].isascii() and _is_mixed(match[0]):
                yield line, f'"{match[0]}" mixes letters that look alike; write it in one script'
    for passage in code(*seed.sections):
        for line, match in passage.matches(WORD):
            if not match[0].isascii() and _is_disguised(match[0]):
                yield line, f'"{match[0]}" only looks like Latin letters; write it in those'


def no_disguised_code(seed: Seed) -> Iterator[Problem]:
    """No character of code that a compiler reads as another one (NFKC changes it to ASCII)."""
    for passage in code(*seed.sections):
        for line, match in passage.matches(UNUSUAL):
            if plain := _reads_as(match[0]):
                yield line, f'{_named(match[0])} reads as "{plain}"; write that'


def plain_title(seed: Seed) -> Iterator[Problem]:
    """The title stands in the file as it reads, without escapes."""
    written = seed.text.replace('\\"', '"').replace("\\\\", "\\").replace("''", "'")
    if seed.title not in seed.text and seed.title not in written:
        yield seed.line_of("title"), "escapes or line breaks in the title; write what it says"


def _is_unseen(text: str, position: int) -> bool:
    character = text[position]
    if character in "\n\t":
        return False
    if character == EMOJI_STYLE:
        return not (position and EMOJI.match(text[position - 1]))
    return unicodedata.category(character) in UNSEEN or bool(IGNORABLE.match(character))


def _named(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'a control character')}"


def _scripts(word: str) -> set[str]:
    return {unicodedata.name(letter, "").partition(" ")[0] for letter in word if letter.isalpha()}


def _is_mixed(word: str) -> bool:
    """Mixed with Latin; a single Greek letter beside Latin ones is a unit or a difference."""
    from confusable_homoglyphs import confusables

    scripts = _scripts(word)
    if "LATIN" in scripts and scripts & set(FOREIGN) - {"GREEK"}:
        return True
    return bool(confusables.is_dangerous(word))


def _is_disguised(word: str) -> bool:
    """Wholly of another script, but every letter of it looks Latin."""
    from confusable_homoglyphs import confusables

    if len(word) == 1 or not _scripts(word) <= set(FOREIGN):
        return False
    return all(confusables.is_confusable(letter, preferred_aliases=[]) for letter in word)


def _reads_as(character: str) -> str:
    """Return the ASCII that a compiler takes the character for, or nothing."""
    if character in LOOKS_LIKE_PUNCTUATION:
        return "'" if character == "\ua78c" else "!|"
    plain = unicodedata.normalize("NFKC", character)
    if plain == character or not plain.isascii():
        return ""
    category = unicodedata.category(character)
    is_code = category[0] == "L" or category == "Nd" or (len(plain) == 1 and category != "No")
    return plain if is_code else ""
