"""Packages, actions and images that a seed names, held against those that the project pins."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tools.content.safety.allowed import EXAMPLE, is_pinned, meant, pinned
from tools.content.safety.commands import Command, commands
from tools.content.safety.passages import Passage, Problem, code, fences

if TYPE_CHECKING:
    from tools.content.seed_file import Seed

Named = tuple[int, str]
"""The line where a name stands, and the name."""
INSTALLERS: dict[str, tuple[str, frozenset[str]]] = {
    "pip": ("python", frozenset({"install", "download", "wheel"})),
    "pip3": ("python", frozenset({"install", "download", "wheel"})),
    "uv": ("python", frozenset({"add", "install", "run"})),
    "uvx": ("python", frozenset()),
    "pipx": ("python", frozenset({"install", "run"})),
    "poetry": ("python", frozenset({"add"})),
    "pdm": ("python", frozenset({"add"})),
    "conda": ("python", frozenset({"install"})),
    "npm": ("node", frozenset({"install", "i", "add", "create", "exec", "init"})),
    "pnpm": ("node", frozenset({"install", "i", "add", "create", "dlx", "exec"})),
    "yarn": ("node", frozenset({"add", "create", "dlx"})),
    "bun": ("node", frozenset({"add", "install", "i", "x"})),
    "npx": ("node", frozenset()),
    "bunx": ("node", frozenset()),
}
"""Programs that install: of which world, and by which of their commands (all, where none)."""
ONE_NAME = frozenset({
    "npx", "bunx", "uvx", "pipx", "create", "dlx", "exec", "x", "run", "init",
})  # fmt: skip
"""What takes one package; the words after it are that package's own."""
TAKES_VALUE = frozenset({
    "-r", "--requirement", "-c", "--constraint", "-i", "--index-url", "--extra-index-url", "-t",
    "--target", "--prefix", "-f", "--find-links", "-w", "--workspace", "--filter", "-C", "--cwd",
    "--python", "--platform", "--only-binary", "--no-binary", "--cache-dir", "--root", "--src",
    "--group", "--with", "--from", "-p", "--package", "-d", "--registry", "--timeout",
    "--wheel-dir", "--outdir", "--out-dir", "-o", "--proxy", "--cert", "--trusted-host",
    "--upgrade-strategy", "--dest", "--loglevel",
})  # fmt: skip
INDEX = re.compile(
    r"(?:(?:--(?:extra-)?index-url|--registry|--index|--find-links|\bpip3?\b[^\n]{0,100}\s-i)[= ]"
    r"{1,3}"
    r"|(?:extra-)?index-url\s?=\s?|^\s*registry\s?=\s?|npm config set registry\s"
    r"|(?:UV|PIP)_(?:EXTRA_)?INDEX(?:_URL)?=)[\"']?(https?://[^\s\"']{1,200})",
    re.MULTILINE,
)
"""Where packages are to come from, if not from where everybody has them."""
ADDRESS = re.compile(r"^(?:git\+|https?:|git@|github:|gitlab:|[\w-]+/[\w.-]+(?:#\S+)?$)")
NAME = re.compile(r"@?[A-Za-z0-9][\w.-]{0,213}(?:/[\w.-]{1,213})?")
REQUIREMENT = re.compile(
    r"^[ +-]{0,2}([A-Za-z0-9][\w.-]{0,100})(?:\[[\w,-]{1,100}\])?\s?(?:[=~<>!]=|@ )\s?\S",
    re.MULTILINE,
)
JAVASCRIPT_IMPORT = re.compile(
    r"(?:\bfrom\s{0,3}|\bimport\s{0,3}\(?\s{0,3}|\brequire(?:\.resolve)?\(\s{0,3}"
    r"|\b(?:jest|vi)\.(?:mock|importActual)\(\s{0,3})"
    r"([\"'])([^\"'\n]{1,214})\1"
)
JAVASCRIPT = frozenset({"js", "mjs", "cjs", "jsx", "ts", "tsx"})
NODE_MODULES = frozenset({
    "assert", "async_hooks", "buffer", "child_process", "cluster", "console", "constants",
    "crypto", "dgram", "dns", "domain", "events", "fs", "http", "http2", "https", "inspector",
    "module", "net", "os", "path", "perf_hooks", "process", "punycode", "querystring", "readline",
    "repl", "stream", "string_decoder", "sys", "timers", "tls", "trace_events", "tty", "url",
    "util", "v8", "vm", "wasi", "worker_threads", "zlib", "test", "sqlite",
})  # fmt: skip
MODULES = {
    "attr": "attrs", "bs4": "beautifulsoup4", "cv2": "opencv-python",
    "dateutil": "python-dateutil", "dns": "dnspython", "dotenv": "python-dotenv",
    "factory": "factory-boy", "google": "google-auth", "googleapiclient": "google-auth",
    "jose": "python-jose", "jwt": "pyjwt", "multipart": "python-multipart",
    "OpenSSL": "pyopenssl", "PIL": "pillow", "pkg_resources": "setuptools",
    "psycopg2": "psycopg2-binary", "sklearn": "scikit-learn", "slack_sdk": "slack-sdk",
    "yaml": "pyyaml", "_pytest": "pytest", "google_auth_oauthlib": "google-auth-oauthlib",
    "email_validator": "email-validator", "sqlalchemy": "sqlalchemy", "flask_cors": "flask-cors",
    "psycopg_pool": "psycopg-pool",
}  # fmt: skip
"""Modules whose distribution has another name."""


def unpinned_package(seed: Seed) -> Iterator[Problem]:
    """Packages are among those that the project pins; others are looked up by the reviewer."""
    own = _own_modules(seed)
    seen: set[str] = set()
    for line, world, name in (*_installed(seed), *_required(seed), *_imported(seed)):
        if (
            name not in seen
            and name not in own
            and not EXAMPLE.search(name)
            and not is_pinned(world, name)
        ):
            seen.add(name)
            yield line, f'"{name}" is not among the pinned packages{meant(name, pinned(world))}'
    for passage in fences(*seed.sections):
        for line, match in passage.matches(INDEX):
            yield line, f"packages from {match[1][:60]}; is it theirs?"


def _installed(seed: Seed) -> Iterator[tuple[int, str, str]]:
    for passage in code(seed.context, seed.solution):
        for command in commands(passage):
            if (
                "install" in command.text
                or command.program in INSTALLERS
                or "-m pip" in command.text
            ):
                yield from ((command.line, world, name) for world, name in _install_names(command))


def _install_names(command: Command) -> Iterator[tuple[str, str]]:
    """The packages that a command installs, or runs straight from the index."""
    words = list(command.words)
    while words and words[0].rpartition("/")[2] not in INSTALLERS:
        words.pop(0)
    if not words:
        return
    program = words.pop(0).rpartition("/")[2]
    world, verbs = INSTALLERS[program]
    verb = program
    if verbs:
        verb = next((word for word in words[:3] if word in verbs), "")
        if not verb:
            return
        words = words[words.index(verb) + 1 :]
    if program in {"uv", "npm", "pnpm"} and verb in {"run", "exec", "init"}:
        return
    for name in _arguments(words, single=verb in ONE_NAME):
        yield world, name


def _arguments(words: list[str], *, single: bool) -> Iterator[str]:
    skip = False
    for word in words:
        if skip or word.startswith("-"):
            skip = not skip and word in TAKES_VALUE
            continue
        if (
            re.search(r"[$<>*{}\\…|]|^\.{1,2}(?:/|$)|^/|^~|\.(?:whl|txt|toml|tgz|gz)$", word)
            and "://" not in word
        ):
            continue
        name = _bare(word)
        if name:
            yield name
        if single:
            return


def _bare(word: str) -> str:
    """A package's name without its version and extras; an address stays as it is."""
    if ADDRESS.match(word) and not word.startswith("@"):
        return word
    word = re.split(r"[\[=<>~!;#]", word, maxsplit=1)[0]
    scope, rest = word[:1], word[1:]
    name = scope + rest.partition("@")[0]
    return name if NAME.fullmatch(name) and not name.isupper() else ""


def _required(seed: Seed) -> Iterator[tuple[int, str, str]]:
    """The packages of requirements, pyproject.toml and package.json."""
    for passage in fences(*seed.sections):
        if passage.name.endswith("package.json"):
            for name in _of_package_json(passage.text):
                yield _line_of(passage, name), "node", name
        elif passage.name.endswith("pyproject.toml"):
            for name in _of_pyproject(passage.text):
                yield _line_of(passage, name), "python", name
        elif passage.language in {"text", "diff"} or "requirements" in passage.name:
            for line, match in passage.matches(REQUIREMENT):
                yield line, "python", match[1]


def _line_of(passage: Passage, name: str) -> int:
    return passage.line_at(max(0, passage.text.find(name)))


def _of_package_json(text: str) -> Iterator[str]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return
    for key in ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies"):
        names = content.get(key) if isinstance(content, dict) else None
        yield from names if isinstance(names, dict) else ()


def _of_pyproject(text: str) -> Iterator[str]:
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    project = content.get("project", {})
    groups = [
        *project.get("optional-dependencies", {}).values(),
        *content.get("dependency-groups", {}).values(),
    ]
    lists = [
        project.get("dependencies", []),
        content.get("build-system", {}).get("requires", []),
        *groups,
    ]
    for requirement in (item for names in lists if isinstance(names, list) for item in names):
        if isinstance(requirement, str) and (name := _bare(requirement.split(" ")[0])):
            yield name


def _imported(seed: Seed) -> Iterator[tuple[int, str, str]]:
    for passage in fences(*seed.sections):
        if passage.language == "python":
            for line, module in _python_imports(passage):
                if module not in sys.stdlib_module_names:
                    yield line, "python", MODULES.get(module, module)
        elif passage.language in JAVASCRIPT:
            for line, match in passage.matches(JAVASCRIPT_IMPORT):
                before = passage.text[: match.start()].rpartition("\n")[2]
                name = "" if "//" in before else _package_of(match[2])
                if name:
                    yield line, "node", name


def _python_imports(passage: Passage) -> Iterator[Named]:
    try:
        tree = ast.parse(passage.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield passage.line + node.lineno - 1, alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield passage.line + node.lineno - 1, node.module.partition(".")[0]


def _package_of(specifier: str) -> str:
    """The package of an import; nothing for a file, an alias, or a module of Node's own."""
    if re.match(r"[./#~]|@/|node:|virtual:|[a-z]+:|\$", specifier) or not NAME.match(specifier):
        return ""
    parts = specifier.split("/")
    name = "/".join(parts[:2]) if specifier.startswith("@") else parts[0]
    return "" if name in NODE_MODULES or not NAME.fullmatch(name) else name


def _own_modules(seed: Seed) -> set[str]:
    """Modules and packages that the seed's files are, or make."""
    own = {part for name in seed.files for part in re.split(r"/", name.rpartition(".")[0])}
    made = re.findall(
        r"(?:mkdir|cat >|> ?|tee|touch|cp|mv)\s[^\n]{0,120}?([\w-]+)(?:\.py|\.[cm]?[jt]sx?|/)",
        seed.text,
    )
    named = re.findall(
        r"^name\s?=\s?\"([\w.-]+)\"|\"name\":\s?\"([@\w./-]+)\"", seed.text, re.MULTILINE
    )
    return (
        own
        | set(made)
        | {n.replace("-", "_") for pair in named for n in pair}
        | {n for pair in named for n in pair}
    )
