"""What a seed must keep beyond its form: one small function a rule, each with an id.

A rule takes a seed and yields `(line, message)` pairs; its id is its name with hyphens. Rules of
the corpus look at all seeds together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

from tools.content import safety
from tools.content.exemptions import FORM, ill_formed
from tools.content.findings import Finding, Problem, Severity, did_you_mean
from tools.content.schema import length_of
from tools.content.seed_file import CATEGORIES, READING_ONLY, Fence, Section, Seed
from tools.content.syntax import fault_in

Rule = Callable[[Seed], Iterable[Problem]]

LANGUAGES = {
    *READING_ONLY,
    *("python", "sh", "sql", "json", "yaml", "toml", "ini", "dockerfile", "nginx", "lua"),
    *("makefile", "gitignore"),
    *("js", "mjs", "cjs", "jsx", "ts", "tsx", "html", "css", "xml", "csv", "env", "properties"),
}  # fmt: skip
FILE_NAME = re.compile(r"[A-Za-z0-9._@+()\[\]-]{1,100}(?:/[A-Za-z0-9._@+()\[\]-]{1,100})*")
MOST_PATH = 200
"""Characters of a file's name with its folders."""
KEPT = ("node_modules", ".git")
"""What stands in a proof's folder already, or is no content."""
PROOF_OPTIONS = {"needs": ("docker",), "timeout": range(1, 601)}


def category(seed: Seed) -> Iterator[Problem]:
    """A seed lies in the folder of a category."""
    if seed.category not in CATEGORIES:
        known = ", ".join(CATEGORIES)
        meant = did_you_mean(seed.category, CATEGORIES)
        yield 1, f'"{seed.category}" is not a category; the categories are {known}{meant}'


def seed_name(seed: Seed) -> Iterator[Problem]:
    """A seed's file is named in lowercase words with hyphens."""
    name = seed.slug.partition("/")[2]
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        yield 1, f'"{name}.md" is not a name for a seed; use lowercase-words-with-hyphens.md'


def context_length(seed: Seed) -> Iterator[Problem]:
    """The context has 200 to 1,200 characters."""
    yield from _length(seed.context)


def solution_length(seed: Seed) -> Iterator[Problem]:
    """The solution has 200 to 5,000 characters."""
    yield from _length(seed.solution)


def fence_language(seed: Seed) -> Iterator[Problem]:
    """Every fence names its language, one that the corpus knows."""
    for section in seed.sections:
        for fence in section.fences:
            if not fence.language:
                yield fence.line, "a fence without a language; name one, e.g. ```python"
            elif fence.language not in LANGUAGES:
                meant = did_you_mean(fence.language, LANGUAGES)
                yield (
                    fence.line,
                    f'unknown language "{fence.language}"; known are {", ".join(sorted(LANGUAGES))}'
                    f"{meant}",
                )


def fence_title(seed: Seed) -> Iterator[Problem]:
    """Code in a solution is a file with a name; so is all of a proof but its command."""
    for fence in (*seed.solution.fences, *seed.proof.fences[:-1]):
        if fence.language in READING_ONLY:
            if fence.title:
                yield fence.line, f"a {fence.language} fence is for reading; drop its title"
        elif not fence.title:
            yield (
                fence.line,
                'code without a file name; add title="name" '
                f"(only {', '.join(READING_ONLY)} fences go without)",
            )
    for fence in seed.context.fences:
        if fence.title:
            yield fence.line, "a file in the context; files belong in the solution or the proof"


def file_name(seed: Seed) -> Iterator[Problem]:
    """A file's name is a plain relative path that stays in the proof's folder."""
    names = set(seed.files)
    folders = {str(folder) for name in names for folder in PurePosixPath(name).parents}
    for fence in (*seed.solution.fences, *seed.proof.fences):
        name = fence.title or "x"
        path = PurePosixPath(name)
        if ".." in path.parts or str(path) != name or not FILE_NAME.fullmatch(name):
            yield fence.line, f'"{name}" is not a plain relative path; write e.g. "app/main.py"'
        elif len(name) > MOST_PATH or path.parts[0] in KEPT:
            yield (
                fence.line,
                f'"{name}" is too long, or the runner\'s own; write e.g. "app/main.py"',
            )
        elif name in folders:
            yield fence.line, f'"{name}" is a file and a folder; name one of them otherwise'


def fence_options(seed: Seed) -> Iterator[Problem]:
    """Only the proof's command takes options: needs="docker" and timeout=1..600."""
    fences = [fence for section in seed.sections for fence in section.fences]
    if seed.proof.fences:
        yield from _command_options(fences.pop())
    for fence in fences:
        for key in fence.options:
            meant = did_you_mean(key, ["title"])
            yield fence.line, f'unknown option "{key}"; a file takes only title="…"{meant}'


def proof_command(seed: Seed) -> Iterator[Problem]:
    """A proof ends in one untitled sh fence, its command, and has no other."""
    if not seed.proof.fences:
        yield seed.proof.line, "no command; end the proof in one ```sh fence without a title"
        return
    last = seed.proof.fences[-1]
    if last.language != "sh" or last.title:
        yield last.line, "the last fence must be the command: ```sh without a title"
    if not last.code.strip():
        yield last.line, "the command is empty; write what proves the solution"


def exemption_form(seed: Seed) -> Iterator[Problem]:
    """What a proof need not miss is a list item: - unmissed: `line`: reason."""
    for line in ill_formed(seed.proof):
        yield line, f"not an exemption; write {FORM}, which says more than a word"


def solution_has_file(seed: Seed) -> Iterator[Problem]:
    """A solution shows at least one file, else there is nothing to prove."""
    if not seed.solution_files:
        yield seed.solution.line, 'no file in the solution; give its code a title="name"'


def code_parses(seed: Seed) -> Iterator[Problem]:
    """Code parses in its language."""
    for section in seed.sections:
        for fence in section.fences:
            if fault := fault_in(fence.language, fence.code):
                line, message = fault
                yield fence.line + line, f"{fence.language} does not parse: {message}"


STRUCTURE_RULES: tuple[Rule, ...] = (
    category,
    seed_name,
    context_length,
    solution_length,
    fence_language,
    fence_title,
    file_name,
    fence_options,
    proof_command,
    exemption_form,
    solution_has_file,
)
"""What a fixture must keep: quick, and without the parsers that the other rules need."""
ERROR_RULES: tuple[Rule, ...] = (*STRUCTURE_RULES, code_parses, *safety.RULES)
"""The rules of a single seed whose breach blocks a build."""
RULES: tuple[Rule, ...] = (*ERROR_RULES, *safety.HINTS)
"""Every rule of a single seed."""


OTHER_RULES = {
    "encoding": "A seed is UTF-8 without a byte order mark; its lines end in LF.",
    "frontmatter": "The frontmatter is a YAML mapping, each key once.",
    "frontmatter-key": "It has title, tags, agent_model and agent_version, and nothing else.",
    "title": "A title is one line of 25 to 100 characters.",
    "tags": "There are 2 to 5 different tags of a-z, 0-9, '.', '_' and '-'.",
    "agent-model": "agent_model names the model that wrote the trace.",
    "agent-version": "agent_version is a version in quotes.",
    "size": "A seed is a regular file of at most 64 KiB, a section 12,000 characters, 60 fences.",
    "sections": "The body has exactly the sections Context, Solution and Proof, in this order.",
    "fence-info": 'What follows a fence\'s language is written as key="value".',
    "indented-code": "Code stands in fences, so that none escapes its proof.",
    "near-neighbour": "No two seeds answer one question (by the vectors of search).",
    "unique-title": "No two seeds have one title, nor one of the sample traces.",
}
"""The rules that the reader of the format, the schema and the whole corpus keep, by id."""


def catalogue() -> dict[str, str]:
    """Return every rule's id with what it asks for, in one sentence."""
    return OTHER_RULES | {rule_id(rule): (rule.__doc__ or "").strip() for rule in RULES}


def rule_id(rule: Callable[..., object]) -> str:
    """Return a rule's id: its function's name with hyphens."""
    return rule.__name__.replace("_", "-")


def severity(rule: Rule) -> Severity:
    """Return how bad a breach of a rule is."""
    return "hint" if rule in safety.HINTS else "error"


def check_seed(seed: Seed, rules: Iterable[Rule] = RULES) -> list[Finding]:
    """Check one seed against the rules that concern it alone."""
    return [
        Finding(seed.path, line, 1, rule_id(rule), message, severity(rule))
        for rule in rules
        for line, message in rule(seed)
    ]


def check_titles(
    titles: Iterable[tuple[str, str, int]], taken: Iterable[str] = ()
) -> Iterator[Finding]:
    """Check that no `(title, path, line)` repeats a title, nor one of those `taken`."""
    owner = {_same(title): "the sample traces" for title in taken}
    for title, path, line in titles:
        first = owner.setdefault(_same(title), path)
        if first != path:
            message = f"the title stands in {first} already; say what is different here"
            yield Finding(path, line, 1, "unique-title", message)


def _same(title: str) -> str:
    return " ".join(title.casefold().split())


def _length(section: Section) -> Iterator[Problem]:
    least, most = length_of(section.name.lower())
    length = len(section.text)
    if not least <= length <= most:
        yield section.line, f"{length} characters in {section.name}; write {least} to {most}"


def _command_options(command: Fence) -> Iterator[Problem]:
    for key, value in command.options.items():
        if key not in PROOF_OPTIONS:
            meant = did_you_mean(key, PROOF_OPTIONS)
            yield command.line, f'unknown option "{key}"; use needs="docker" or timeout=120{meant}'
        elif key == "needs" and value not in PROOF_OPTIONS["needs"]:
            yield command.line, f'needs="{value}" is not known; only needs="docker" is'
        elif key == "timeout" and not (value.isdigit() and int(value) in PROOF_OPTIONS["timeout"]):
            yield command.line, f"timeout={value} is not 1 to 600 seconds"
