"""Which controls a seed has, which of them are chosen, and where each stands."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.seeds import seed_text
from tools.content.seed_file import Seed, parse_seed
from tools.proving.controls import chosen, file_controls, line_controls

TWO_FENCES = """\
```python title="app.py"
import sys

print("sent")
```

and

```python title="app.py"
raise SystemExit(
    3,
)
```"""


def seed(solution: str = TWO_FENCES, command: str = "python app.py") -> Seed:
    text = seed_text(solution=solution, proof=f"```sh\n{command}\n```")
    return parse_seed(text, "seeds/python/x.md", "python/x")


def calls(names: Sequence[str]) -> Seed:
    """A seed whose solution calls functions, one a line."""
    lines = "\n".join(f"{name}()" for name in names)
    return seed(f'```python title="app.py"\n{lines}\n```')


def test_a_seed_has_a_control_for_each_file_and_one_for_each_statement() -> None:
    assert [(one.file, one.line) for one in file_controls(seed())] == [("app.py", 14)]
    texts = [one.statement.first_line for one in line_controls(seed()) if one.statement]
    assert texts == ["import sys", 'print("sent")', "raise SystemExit("]


def test_a_control_stands_in_the_line_of_the_seed_that_it_is_about() -> None:
    lines = seed().text.split("\n")
    shown = [lines[one.line - 1] for one in (*file_controls(seed()), *line_controls(seed()))]
    assert shown == [
        '```python title="app.py"', "import sys", 'print("sent")', "raise SystemExit(",
    ]  # fmt: skip


def test_a_control_leaves_its_piece_out_of_the_files_and_nothing_else() -> None:
    mine = parse_seed(
        seed_text(solution=TWO_FENCES, proof='```sh title="b.sh"\n:\n```\n\n```sh\nsh b.sh\n```'),
        "seeds/python/x.md",
        "python/x",
    )
    (file,), last = file_controls(mine), line_controls(mine)[-1]
    assert file.files == {"b.sh": ":\n"}
    assert last.files == {"app.py": 'import sys\n\nprint("sent")\n', "b.sh": ":\n"}


def test_what_passes_is_told_by_its_first_line() -> None:
    assert line_controls(seed())[-1].finding.message == (
        "the proof passes without this line: raise SystemExit(…"
    )
    long = calls(["f" * 90])
    assert line_controls(long)[0].finding.message.endswith(f": {'f' * 80}…")


def test_types_are_statements_where_the_proof_checks_them() -> None:
    solution = '```ts title="a.ts"\nexport type A = { id: number };\n```'
    assert line_controls(seed(solution, "node a.ts")) == ()
    assert len(line_controls(seed(solution, "tsc --noEmit"))) == 2


def test_the_same_controls_are_chosen_whatever_else_the_seed_gains() -> None:
    names = [f"f{number}" for number in range(30)]
    before = chosen(line_controls(calls(names)), 8)
    after = chosen(line_controls(calls(["a", "b", "c", *names])), 8)
    kept = {one.rank for one in before} & {one.rank for one in after}
    assert len(before) == len(after) == 8 and len(kept) >= 5
    assert before != line_controls(calls(names))[:8]
    assert list(before) == sorted(before, key=lambda one: one.line)
    assert before == chosen(line_controls(calls(names)), 8)


def test_more_controls_are_the_fewer_ones_and_others() -> None:
    every = line_controls(calls([f"f{number}" for number in range(30)]))
    few, more = ({one.rank for one in chosen(every, number)} for number in (4, 8))
    assert few < more
    assert chosen(every, None) == every and chosen(every, 0) == () and chosen(every, 99) == every


def test_a_file_holds_its_statements_and_a_statement_its_parts() -> None:
    mine = seed('```python title="app.py"\nopen("x", mode="r")\nopen("y", mode="w")\n```')
    (file,), (first, part, second, _) = file_controls(mine), line_controls(mine)
    assert file.holds(first) and first.holds(part) and first.holds(first)
    assert not first.holds(second) and not part.holds(first) and not first.holds(file)


def test_no_two_controls_of_a_seed_have_one_name() -> None:
    every = line_controls(seed('```python title="app.py"\nf(); f(); g(a=1, b=1)\n```'))
    assert len(every) == 5 and len({one.name for one in every}) == 5
