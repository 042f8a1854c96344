"""What counts as a statement, language by language, and a file without one."""

from __future__ import annotations

from textwrap import dedent

import pytest

from tools.content.seed_file import find_seeds, read_seed
from tools.content.syntax import fault_in
from tools.proving.lines.statements import Statement, statements


def found(language: str, file: str, *, types: bool = False) -> list[str]:
    return [one.text for one in statements(language, dedent(file).lstrip("\n"), types=types)]


def without(language: str, file: str, text: str, occurrence: int = 0) -> str:
    file = dedent(file).lstrip("\n")
    return next(
        one.left_out(file)
        for one in statements(language, file)
        if (one.text, one.occurrence) == (text, occurrence)
    )


# --- What is a statement --------------------------------------------------------------------------

SAMPLES = {
    "python": (
        '''
        """A module."""
        from __future__ import annotations

        import logging
        from typing import Any

        import plugins  # registers

        # a comment


        @dataclass(frozen=True)
        class Order(Base):
            """A class."""

            id: int
            note: str = Field("", max_length=10)

            def pay(self, total: Any) -> None:
                if total < 0:
                    raise ValueError(total)
                with self.lock:
                    logging.info("paid")
                return None
        ''',
        [
            "import plugins",
            "@dataclass(frozen=True)",
            "frozen=True",
            "id: int",
            'note: str = Field("", max_length=10)',
            "max_length=10",
            "raise ValueError(total)",
            "with self.lock:",
            'logging.info("paid")',
            "return None",
        ],
    ),
    "ts": (
        """
        "use client";
        import type { Order } from "./order";
        import { z } from "zod";
        import "./register";

        interface Row { id: number }

        export const schema = z.object({ id: z.number() }).strict();
        export async function load(id: number): Promise<Row> {
          if (id < 1) return null;
          const order: Order = await get(id, { cache: "no-store" });
          return order;
        }
        """,
        [
            '"use client";',
            'import "./register";',
            "export const schema = z.object({ id: z.number() }).strict();",
            "id: z.number()",
            ".strict()",
            "return null;",
            'const order: Order = await get(id, { cache: "no-store" });',
            'cache: "no-store"',
            "return order;",
        ],
    ),
    "tsx": (
        """
        export function Row({ id, onClose }: Props) {
          return (
            <li key={id} {...rest}>
              <Name id={id} />
              {id} <b>text</b>
            </li>
          );
        }
        """,
        [
            "return (\n    <li key={id} {...rest}>\n      <Name id={id} />\n"
            "      {id} <b>text</b>\n    </li>\n  );",
            "key={id}",
            "{...rest}",
            "<Name id={id} />",
            "id={id}",
            "{id}",
        ],
    ),
    "sh": (
        """
        #!/usr/bin/env bash
        set -eu
        if ! curl -f "$url" | grep ok; then
            exit 1
        fi
        build() { make; }
        cat <<EOF >out
        text
        EOF
        [ -f out ] || exit 2
        """,
        [
            "set -eu",
            "exit 1",
            "make",
            "cat <<EOF >out\ntext\nEOF",
            "[ -f out ] || exit 2",
        ],
    ),
    "sql": (
        """
        -- a comment
        BEGIN;
        CREATE TABLE jobs (
            id bigint PRIMARY KEY,
            CHECK (id > 0)
        );
        SELECT id
        FROM jobs
        WHERE id > 1
          AND id < 9
        FOR UPDATE SKIP LOCKED;
        COMMIT;
        """,
        [
            "BEGIN",
            "CREATE TABLE jobs (\n    id bigint PRIMARY KEY,\n    CHECK (id > 0)\n)",
            "id bigint PRIMARY KEY",
            "CHECK (id > 0)",
            "SELECT id\nFROM jobs\nWHERE id > 1\n  AND id < 9\nFOR UPDATE SKIP LOCKED",
            "WHERE id > 1\n  AND id < 9",
            "AND id < 9",
            "FOR UPDATE SKIP LOCKED",
            "SKIP LOCKED",
            "COMMIT",
        ],
    ),
    "yaml": (
        """
        name: CI
        on:
          push:
        jobs:
          test:
            steps:
              - uses: actions/checkout@v6
                with: { fetch-depth: 0 }
              - name: Test
                run: |
                  if [ "${{ github.ref }}" = x ]; then
                    echo yes
                  fi
        """,
        [
            "on:\n  push:",
            "- uses: actions/checkout@v6\n        with: { fetch-depth: 0 }",
            "uses: actions/checkout@v6",
            "fetch-depth: 0",
            '- name: Test\n        run: |\n          if [ "${{ github.ref }}" = x ]; then\n'
            "            echo yes\n          fi",
            "echo yes",
        ],
    ),
    "toml": (
        """
        [tool.pytest]
        strict = true
        filterwarnings = [
          "error",
          "ignore::X",
        ]
        """,
        ["strict = true", '"error"', '"ignore::X"'],
    ),
    "json": ('{\n  "a": { "b": 1 },\n  "c": [2]\n}\n', ['"b": 1', '"c": [2]']),
    "dockerfile": (
        """
        # syntax=docker/dockerfile:1
        FROM node:24 AS build
        RUN --mount=type=cache,target=/root/.npm npm ci \\
            && npm run build
        FROM nginx
        COPY --from=build /dist /srv
        """,
        [
            "RUN --mount=type=cache,target=/root/.npm npm ci \\\n    && npm run build",
            "--mount=type=cache,target=/root/.npm",
            "FROM nginx",
            "COPY --from=build /dist /srv",
            "--from=build",
        ],
    ),
    "nginx": (
        """
        events {}
        http {
            # a comment; with a semicolon
            map $a $b { default "x;y"; }
            server { listen 80; location / { return 204; } }
        }
        """,
        ["events {}", 'default "x;y";', "listen 80;", "return 204;"],
    ),
    "env": ("# comment\nA=1\n\nB=2\n", ["A=1", "B=2"]),
    "ini": ("[a]\nx = 1\ny =\n  2\n  3\n; no\n", ["x = 1", "y =\n  2\n  3"]),
    "gitignore": ("# no\n*\n!src/\n", ["*", "!src/"]),
}


@pytest.mark.parametrize("language", SAMPLES)
def test_the_statements_of_a_file(language: str) -> None:
    file, expected = SAMPLES[language]
    assert found(language, file) == expected


def test_an_unknown_language_has_no_statements() -> None:
    assert statements("cobol", "STOP RUN.\n") == ()
    assert statements("python", "") == ()


def test_what_a_type_checker_reads_counts_where_one_runs() -> None:
    file = "type A = { id: number };\nexport interface B {\n  a: A;\n}\n"
    assert found("ts", file) == []
    assert found("ts", file, types=True) == [
        "type A = { id: number };",
        "id: number",
        "export interface B {\n  a: A;\n}",
        "a: A",
    ]


def test_python_for_type_checkers_only_is_none() -> None:
    file = """
    if TYPE_CHECKING:
        import models
    class Reader(Protocol):
        size: int
    @overload
    def f(x: int) -> int: ...
    def f(x):
        y: int
        return x
    """
    assert found("python", file) == ["return x"]


# --- The file without it --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "file", "text", "expected"),
    [
        ("python", "if x:\n    raise E\ny()\n", "raise E", "if x:\n    pass\ny()\n"),
        ("python", "if x: f()\n", "f()", "if x: pass\n"),
        ("python", "f(a, b=1)\n", "b=1", "f(a)\n"),
        ("python", "f(a=1, b=1)\n", "a=1", "f(b=1)\n"),
        ("python", "f(\n    a=1,\n    b=1,  # why\n)\n", "b=1", "f(\n    a=1,\n)\n"),
        ("python", "x = 1  # why\ny = 2\n", "x = 1", "y = 2\n"),
        ("python", "with a, b:\n    f()\n", "with a, b:", "if True:\n    f()\n"),
        ("python", "q = a().b(1).c()\n", ".b(1)", "q = a().c()\n"),
        ("python", "ok = (\n    a\n    and b\n)\n", "and b", "ok = (\n    a\n)\n"),
        ("python", "ä = 'ö'; y = 2\n", "y = 2", "ä = 'ö'; \n"),
        ("js", "if (x) return 1;\nf();\n", "return 1;", "if (x) {}\nf();\n"),
        ("js", "for (const a of b) f(a);\n", "f(a);", "for (const a of b) {}\n"),
        ("js", "f({ a: 1, b: 2 });\n", "b: 2", "f({ a: 1 });\n"),
        ("tsx", "f(<a b {...c} />);\n", "{...c}", "f(<a b />);\n"),
        ("js", "try { a(); } catch { b(); }\n", "catch { b(); }", "try { a(); } finally {}\n"),
        (
            "python",
            "try:\n    a()\nexcept E:\n    b()\n",
            "except E:\n    b()",
            "try:\n    a()\nfinally: pass\n",
        ),
        ("json", '{"a": 1, "b": 2}', '"b": 2', '{"a": 1}'),
        ("json", '{\n  "a": 1,\n  "b": 2\n}\n', '"b": 2', '{\n  "a": 1\n}\n'),
        ("sh", "if x; then\n  y\nfi\n", "y", "if x; then\n  :\nfi\n"),
        ("sh", "case $x in a) y;; esac\n", "y", "case $x in a) ;; esac\n"),
        ("yaml", "a:\n  b:\n    c: 1\nd: 2\n", "a:\n  b:\n    c: 1", "d: 2\n"),
        ("sql", "SELECT 1,\n  2\nFROM t;\n", "2", "SELECT 1\nFROM t;\n"),
        ("sql", "SELECT 1 \\gexec\nSELECT 2;\n", "SELECT 2", "SELECT 1 \\gexec\n"),
        ("nginx", "a { b 1; c 2; }\n", "b 1;", "a {  c 2; }\n"),
    ],
)
def test_the_file_without_a_statement(language: str, file: str, text: str, expected: str) -> None:
    assert without(language, file, text) == expected


def test_a_piece_that_says_no_more_than_another_is_left_to_that() -> None:
    assert found("js", "expect(f()).toBe(1);\n") == ["expect(f()).toBe(1);"]
    assert found("python", "x = [\n    {'a': 1, 'b': 2},\n]\n")[1:] == ["'a': 1", "'b': 2"]
    assert found("json", '{"a": {"b": {"c": 1, "d": 2}}}') == ['"c": 1', '"d": 2']


def test_what_reads_the_same_is_counted() -> None:
    file = "f(1)\nf(2)\nf(1)\n"
    assert without("python", file, "f(1)", 1) == "f(1)\nf(2)\n"
    assert [one.line for one in statements("python", file)] == [1, 2, 3]


def test_pieces_of_a_broken_file_leave_it_no_worse() -> None:
    assert found("ts", "f<typeof import('x')>();\nconst = 1;\ng();\n")[-1] == "g();"


# --- The corpus -----------------------------------------------------------------------------------


def corpus(language: str) -> list[tuple[str, str, tuple[Statement, ...]]]:
    """Return every tenth file in a language, with its statements."""
    seeds = [read_seed(path) for path in find_seeds()]
    files = [
        (fence.title, fence.code)
        for one in seeds
        for fence in one.solution.fences
        if fence.title and fence.language == language
    ][::10]
    return [(name, code, statements(language, code)) for name, code in files]


@pytest.mark.parametrize("language", ["python", "sql", "yaml", "toml", "json", "sh", "nginx"])
def test_every_variant_of_the_corpus_parses(language: str) -> None:
    for name, code, every in corpus(language):
        assert every, name
        for one in every:
            variant = one.left_out(code)
            assert variant != code
            assert fault_in(language, variant) is None, (name, one)
