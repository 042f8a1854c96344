"""Does code parse in its language? One real parser a language, none of our own."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path

import yaml

from tools.content.findings import Problem

LONGEST_RUN = 10
"""Seconds that a parser may take."""


def fault_in(language: str, code: str) -> Problem | None:
    """Return the first place where `code` does not parse; None if it does, or nothing can tell."""
    check = _CHECKS.get(language)
    try:
        return check(code) if check else None
    except (RecursionError, MemoryError):
        return 1, "nested too deeply for its parser"
    except (ValueError, subprocess.TimeoutExpired):  # e.g. a number of thousands of digits
        return 1, "its parser cannot read it"


def _python(code: str) -> Problem | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an odd escape is no syntax error
        try:
            compile(code, "seed", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except SyntaxError as error:
            return error.lineno or 1, error.msg
    return None


def _json(code: str) -> Problem | None:
    try:
        json.loads(code)
    except json.JSONDecodeError as error:
        return error.lineno, error.msg
    return None


def _yaml(code: str) -> Problem | None:
    class Loader(yaml.SafeLoader):
        """Takes tags that applications define, such as Compose's `!override`."""

    Loader.add_multi_constructor("!", lambda *_: None)
    try:
        for _ in yaml.load_all(code, Loader):
            pass
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return line, error.problem or "not YAML"
    except yaml.reader.ReaderError as error:
        return code.count("\n", 0, error.position) + 1, error.reason
    return None


def _toml(code: str) -> Problem | None:
    try:
        tomllib.loads(code)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+)", str(error))
        return int(place[1]) if place else 1, str(error)
    return None


def _sql(code: str) -> Problem | None:
    import pglast

    # psql's own commands are no SQL: they begin with a backslash. So are its variables (:name).
    statements = re.sub(r"^\\.*$|(?<=;)\s*\\.*$", "", code, flags=re.MULTILINE)
    statements = re.sub(r"""(?<![:\w\]]):(["']\w+["'])""", r"\1", statements)
    statements = re.sub(r"""(?<![:\w\]]):[A-Za-z_]\w*""", "NULL", statements)
    try:
        pglast.parse_sql(statements)
    except pglast.parser.ParseError as error:
        position = error.args[1] if len(error.args) > 1 and error.args[1] else 0
        return statements.count("\n", 0, position) + 1, error.args[0]
    return None


def _shell(code: str) -> Problem | None:
    result = _run(["bash", "-n"], code)
    if result.returncode == 0:
        return None
    place = re.search(r"line (\d+): (.*)", result.stderr)
    return (int(place[1]), place[2]) if place else (1, result.stderr.strip() or "not shell")


def _javascript(suffix: str) -> Callable[[str], Problem | None]:
    """Ask oxlint, with all its rules off: what it then reports is what it cannot parse."""

    def check(code: str) -> Problem | None:
        with tempfile.NamedTemporaryFile("w", suffix=suffix) as file:
            file.write(code)
            file.flush()
            command = [str(Path(sys.executable).with_name("oxlint")), "-A", "all"]
            result = _run([*command, "--no-ignore", "--format", "json", file.name])
        diagnostics = json.loads(result.stdout)["diagnostics"]
        if not diagnostics:
            return None
        first = diagnostics[0]
        return first["labels"][0]["span"]["line"] if first["labels"] else 1, first["message"]

    return check


def _run(command: list[str], text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, timeout=LONGEST_RUN
    )


def _dockerfile(code: str) -> Problem | None:
    import dockerfile

    try:
        for command in dockerfile.parse_string(code):
            if command.cmd.lower() not in dockerfile.all_cmds():
                return command.start_line, f"{command.cmd} is not an instruction"
    except dockerfile.GoParseError as error:
        place = re.search(r"line (\d+)", str(error))
        return int(place[1]) if place else 1, str(error)
    return None


def _nginx(code: str) -> Problem | None:
    import crossplane

    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(code)
        file.flush()
        parsed = crossplane.parse(file.name, single=True, check_ctx=False, check_args=False)
    if parsed["errors"]:
        error = parsed["errors"][0]
        return error["line"] or 1, error["error"].partition(" in /")[0]
    return None


_CHECKS: dict[str, Callable[[str], Problem | None]] = {
    "python": _python,
    "json": _json,
    "yaml": _yaml,
    "toml": _toml,
    "sql": _sql,
    "dockerfile": _dockerfile,
    "nginx": _nginx,
    "sh": _shell,
    "js": _javascript(".js"),
    "mjs": _javascript(".mjs"),
    "cjs": _javascript(".cjs"),
    "jsx": _javascript(".jsx"),
    "ts": _javascript(".ts"),
    "tsx": _javascript(".tsx"),
}
