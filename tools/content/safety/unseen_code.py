"""Commands and code that run what nobody has seen: a download, or what is encoded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tools.content.safety.commands import QUOTES, Command, commands
from tools.content.safety.passages import Passage, Problem, fences, joined, whole

if TYPE_CHECKING:
    from tools.content.seed_file import Seed

DOWNLOADER = re.compile(
    r"(?<![\w./-])(?:curl|wget|wget2|aria2c|lwp-request|fetch|iwr|irm|curl\.exe"
    r"|invoke-webrequest|invoke-restmethod)(?=\s+\S)|downloadstring|downloadfile",
    re.IGNORECASE,
)
DECODER = re.compile(
    r"\bbase(?:64|32)\s+(?:-\S+\s+)*(?:-d|-D|--decode|-di)\b|\bxxd\s+-\S*r|\bopenssl\s+(?:enc|base64)\b"
    r"|\b(?:gunzip|zcat|unxz|uudecode|rev)\b|\bgzip\s+-\S*d|\btr\s+['\"]?[A-Za-z]-"
)
SHELLS = frozenset(
    [
        "sh",
        "bash",
        "zsh",
        "dash",
        "ksh",
        "ash",
        "fish",
        "csh",
        "tcsh",
        "pwsh",
        "powershell",
        "cmd",
        "iex",
        "invoke-expression",
        "psql",
        "mysql",
        "sqlite3",
        "bash.exe",
        "powershell.exe",
    ]
)
"""Programs that run what comes through a pipe, whatever their arguments."""
INTERPRETERS = re.compile(
    r"(?:python|node|nodejs|perl|ruby|php|deno|bun|lua|tclsh)[\d.]*(?:\.exe)?"
)
"""Programs that run what comes through a pipe unless they are told to run something else."""
SUBSTITUTION = re.compile(
    r"(?:<\(|\$\(|\(|`)\s{0,5}(?:sudo\s+)?(?:curl|wget|irm|iwr|invoke-webrequest|invoke-restmethod)\s",
    re.IGNORECASE,
)
EVALUATORS = re.compile(
    r"(?<![\w./-])(?:(?:ba|z|da|k|a|fi)?sh|eval|source|iex|invoke-expression|exec"
    r"|(?:python|node|perl|ruby|php|deno|bun)[\d.]*)(?![\w./-])|^\s*\.\s|[;&\"'`]\s?\.\s",
    re.IGNORECASE,
)
POWERSHELL = re.compile(
    r"\b(?:iex|invoke-expression)\b[^\n]{0,200}\b(?:downloadstring|invoke-webrequest|iwr|irm)\b",
    re.IGNORECASE,
)
NETWORK_CALL = (
    r"(?:urlopen|urlretrieve|(?:requests|httpx|axios|https?|session|client|got|ky)\.(?:get|request)"
    r"|fetch|import_module)"
)
EVALUATION = re.compile(
    r"(?<![\w.])(?:exec|eval|compile|new\s+Function|Function|(?:vm\.)?runIn\w{1,20}Context"
    r"|(?:pickle|marshal|dill|cloudpickle|joblib)\.loads?|__import__|execSync|os\.system)\s?\((.{0,300})",
)
"""A call that runs its argument, with the argument."""
FROM_NETWORK = re.compile(rf"(?<!\w){NETWORK_CALL}\s?\(")
FROM_ENCODING = re.compile(
    r"(?:b64decode|b32decode|b85decode|a85decode|unhexlify|fromhex|decompress|atob|rot13|rot_13"
    r"|unescape|Buffer\.from|fromCharCode)\b"
)
ASSIGNED = re.compile(
    r"(?:^|[;\s(])(\w{1,60})\s?(?::[^=\n]{1,60})?=\s?(?![=])(.{1,300})|\bas\s+(\w{1,60}):"
)
REMOTE_IMPORT = re.compile(
    r"\b(?:import|require)\s?\(\s?[\"'`]https?:|\bfrom\s+[\"']https?:|^\s*import\s+[\"']https?:"
)
DOCKER_ADD = re.compile(
    r"^\s*ADD\s+(?![^\n]{0,200}--checksum=)(?:--\S+\s+)*(?:https?|git)[:@]", re.IGNORECASE
)
CHECKED = re.compile(
    r"\b(?:sha\d{3}sum|shasum|gpgv?|cosign|minisign|signify|slsa-verifier|get-filehash|hashlib)\b"
    r"|\bopenssl\s+dgst\b|\bgh\s+attestation\b|--checksum[= ]|createHash",
    re.IGNORECASE,
)
OUTPUT = re.compile(
    r"(?:\s-\w{0,8}o|\s--output|\s--output-document|\s-\w{0,5}O(?!-)|\s-outfile|>|\btee(?:\s-a)?)[\s=]{0,3}"
    r"(?!&|/dev/null|https?:|-)[\"']?([\w.~/$\{\}-]{1,120})",
    re.IGNORECASE,
)
URL_FILE = re.compile(r"https?://[^\s\"'`]{1,300}/([\w.-]{1,80})(?=[\s\"'`]|$)")
KEEPS_NAME = re.compile(r"\bwget2?\b|\baria2c\b|\s-\w{0,8}[OJ]\w{0,8}\b|--remote-name")
"""A download that takes its file's name from the address."""
RETRIEVED = re.compile(r"urlretrieve\([^,\n]{1,200},\s?[\"']([^\"'\n]{1,120})")
RUNS_FILE = frozenset(
    [
        "sh",
        "bash",
        "zsh",
        "dash",
        "ksh",
        "source",
        ".",
        "chmod",
        "install",
        "dpkg",
        "rpm",
        "apt",
        "apt-get",
        "yum",
        "dnf",
        "pip",
        "pip3",
        "npm",
        "python",
        "python3",
        "node",
        "perl",
        "ruby",
        "php",
        "pwsh",
        "powershell",
        "msiexec",
        "java",
        "deno",
        "bun",
        "insmod",
    ]
)
"""Programs that run, or make runnable, the file that they are given."""


def no_unseen_code(seed: Seed) -> Iterator[Problem]:
    """No command, and no code, that runs what it downloads or decodes, unseen and unchecked."""
    found: dict[int, str] = {}
    for passage in whole(seed):
        for line, message in (
            *_piped(passage), *_substituted(passage), *_saved(passage), *_added(passage)
        ):  # fmt: skip
            found.setdefault(line, message)
    for passage in fences(*seed.sections):
        for line, message in _evaluated(passage):
            found.setdefault(line, message)
    yield from sorted(found.items())


def _piped(passage: Passage) -> Iterator[Problem]:
    """`curl … | sh`, over as many pipes and lines as one likes."""
    if not DOWNLOADER.search(passage.text) and not DECODER.search(passage.text):
        return
    start, source = 0, ""
    for command in commands(passage):
        if not command.is_piped:
            source = ""
        elif source and _runs_its_input(command):
            yield start, f"runs what it {source} unseen; save it, check it, then run it"
        if DOWNLOADER.search(command.text):
            start, source = command.line, "downloads"
        elif DECODER.search(command.text) and not source:
            start, source = command.line, "decodes"


def _runs_its_input(command: Command) -> bool:
    if command.program in SHELLS:
        return True
    if not INTERPRETERS.fullmatch(command.program):
        return False
    return len(command.words) == 1 or command.words[1] in {"-", "-s", "/dev/stdin"}


def _substituted(passage: Passage) -> Iterator[Problem]:
    """`sh -c "$(curl …)"`, `bash <(curl …)`, `iex (irm …)` and their relatives."""
    message = "runs what it downloads unseen; save it, check it, then run it"
    text = joined(passage.text)
    for match in POWERSHELL.finditer(text):
        yield passage.line_at(match.start()), message
    for match in SUBSTITUTION.finditer(text):
        before = text[max(0, match.start() - 120) : match.start()].rpartition("\n")[2]
        if _is_evaluated(match[0], before):
            yield passage.line_at(match.start()), message


def _is_evaluated(substitution: str, before: str) -> bool:
    """Whether what stands before a substitution on its line runs what comes of it."""
    if substitution.startswith("`") and not before.endswith(("'", '"')):
        return False  # the begin of a code span
    return bool(EVALUATORS.search(re.split(r"[;&|]|\.\s", before)[-1] or before))


def _saved(passage: Passage) -> Iterator[Problem]:
    """`curl -o x …`, then `sh x`, `chmod +x x`, `./x`, without a look at its checksum."""
    if not DOWNLOADER.search(passage.text) and not RETRIEVED.search(passage.text):
        return
    saved: set[str] = set()
    for command in commands(passage):
        if CHECKED.search(command.text):
            saved.clear()
        elif saved and _file_run(command) & saved:
            name = min(_file_run(command) & saved)
            yield command.line, f'runs the download "{name}" unseen; check its checksum first'
            saved.discard(name)
        saved |= _files_written(command)


def _files_written(command: Command) -> set[str]:
    names = RETRIEVED.findall(command.text)
    if DOWNLOADER.search(command.text):
        names += OUTPUT.findall(command.text)
        if not names and KEEPS_NAME.search(command.text):
            names += URL_FILE.findall(command.text)
    elif command.program == "tee":
        names += [word for word in command.words[1:2] if not word.startswith("-")]
    return {_base(name) for name in names if _base(name)}


def _file_run(command: Command) -> set[str]:
    if not command.words:
        return set()
    if command.program in RUNS_FILE:
        return {_base(word) for word in command.words[1:6]}
    return {_base(command.words[0])} if "/" in command.words[0] else set()


def _base(path: str) -> str:
    return path.strip(QUOTES).rpartition("/")[2]


def _added(passage: Passage) -> Iterator[Problem]:
    """A Dockerfile's ADD from the network, and an import of an address."""
    for number, line in enumerate(passage.text.split("\n")):
        if DOCKER_ADD.search(line):
            yield passage.line + number, "adds a download unseen; give ADD its --checksum=sha256:…"
        if REMOTE_IMPORT.search(line[:2000]):
            yield passage.line + number, "imports code of an address; name a pinned package"


def _evaluated(passage: Passage) -> Iterator[Problem]:
    """`exec(urlopen(…))` and `eval(atob(…))`, also by way of a variable."""
    tainted: dict[str, str] = {}
    for number, line in enumerate(passage.text.split("\n")):
        for match in EVALUATION.finditer(line):
            if source := _source(match[1], tainted):
                message = f"runs what it {source} unseen; write the code that it runs"
                yield passage.line + number, message
        for match in ASSIGNED.finditer(line):
            if source := _source(match[2] or line, tainted):
                tainted[match[1] or match[3]] = source


def _source(expression: str, tainted: dict[str, str]) -> str:
    """Where an expression has its value from: the network, an encoding, or nothing of these."""
    if FROM_NETWORK.search(expression):
        return "downloads"
    if FROM_ENCODING.search(expression):
        return "decodes"
    names = (name for name in re.findall(r"\w+", expression[:300]) if name in tainted)
    return next((tainted[name] for name in names), "")
