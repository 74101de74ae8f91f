"""Taking commands out of generated scripts: a real shell must see them gone and everything else alike."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from phasewise.model.dockerfile import Dockerfile
from phasewise.model.shell import Script
from phasewise.model.text import apply_edits


class Layout(Struct, frozen=True):
    """How a generated script is written."""

    name: str
    gap: str
    """Between the parts of a compound command."""
    separator: str
    """Between the items of a sequence."""


CONTINUED = Layout("continued", " \\\n    ", "; \\\n    ")
ONE_LINE = Layout("one line", " ", "; ")
HEREDOC = Layout("heredoc", "\n", "\n")


class Names:
    """Gives each generated command a name of its own."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        return f"c{self.count}"


@st.composite
def item(draw: st.DrawFn, name: Names, layout: Layout, depth: int = 2) -> str:
    kinds = ["command"] * 4 + ["pipeline", "ignored", "alternative", "chain", "retried"] + ["lines"] * 4
    kinds += ["group", "subshell", "if", "else", "loop", "case", "condition"] if depth else []
    kind = draw(st.sampled_from(kinds))

    def body() -> str:
        items = draw(st.integers(1, 3))
        return layout.separator.join(draw(item(name, layout, depth - 1)) for _ in range(items))

    gap, end = layout.gap, "" if layout.name == "heredoc" else ";"
    test = draw(st.sampled_from(["[ -n x ]", 'test "a" = b', "[ -z x ] || true"]))
    match kind:
        case "pipeline":
            return f"{name()} x | {name()}"
        case "ignored":
            return f"{name()} 2>/dev/null || true"
        case "alternative":
            return f"{name()} || {name()}"
        case "chain":
            return f"{name()} 'a b' && {name()} && {name()} || {name()}"
        case "retried":
            return f"for x in 1 2; do {name()} && {name()} && break || {name()}; done"
        case "lines":
            behind = layout is HEREDOC or draw(st.booleans())
            return (f" &&{gap}" if behind else f"{gap}&& ").join(
                name() for _ in range(draw(st.integers(2, 3)))
            )
        case "group":
            return f"{{{gap}{body()}{end}{gap}}}"
        case "subshell":
            return f"( {body()} )"
        case "if":
            return f"if {test}; then{gap}{body()}{end}{gap}fi"
        case "else":
            return f"if {test}; then{gap}{body()}{end}{gap}else{gap}{body()}{end}{gap}fi"
        case "condition":
            negation = draw(st.sampled_from(["", "! "]))
            return f"if {negation}{name()}; then{gap}{body()}{end}{gap}fi"
        case "loop":
            return f"for x in 1 2; do{gap}{body()}{end}{gap}done"
        case "case":
            return f"case x in{gap}y) {name()} ;;{gap}*) {name()} ;;{gap}esac"
        case _:
            return name() + draw(st.sampled_from(["", " -x", ' "$A b"', " > /dev/null"]))


class Generated(Struct, frozen=True):
    """A RUN whose commands are `c1`, `c2`, ...; a comment `# about N` may stand above its item N."""

    text: str
    count: int
    items: tuple[str, ...]


@st.composite
def runs(draw: st.DrawFn) -> Generated:
    name = Names()
    style = draw(st.sampled_from(["behind", "in front", "semicolons", "one line", "heredoc"]))
    layout = {"heredoc": HEREDOC, "one line": ONE_LINE}.get(style, CONTINUED)
    items = [draw(item(name, layout)) for _ in range(draw(st.integers(1, 5)))]
    comments = [draw(st.booleans()) and layout is not ONE_LINE for _ in items]
    operators = [draw(st.sampled_from(["&&", "&&", "||"])) for _ in items]
    made = tuple(items)
    if style == "heredoc":
        above = [f"# about {index}\n" if comment else "" for index, comment in enumerate(comments)]
        lines = [f"{comment}{each}\n" for comment, each in zip(above, items, strict=True)]
        return Generated(f"RUN <<EOF\n{''.join(lines)}EOF\n", name.count, made)
    if style == "one line":
        return Generated("RUN " + f" {operators[0]} ".join(items) + "\n", name.count, made)
    text = "RUN \\\n    " if comments[0] else "RUN "
    for index, each in enumerate(items):
        if comments[index]:
            text += f"# about {index}\n    "
        text += f"{operators[index]} {each}" if style == "in front" and index else each
        if index < len(items) - 1:
            behind = {"behind": f" {operators[index]}", "semicolons": ";", "in front": ""}[style]
            text += f"{behind} \\\n    "
    return Generated(text + "\n", name.count, made)


def behaviour(script: str, count: int, silent: set[str], failing: set[str]) -> list[str]:
    """The commands that ran, sorted, since both sides of a pipeline run at the same time.

    The silent ones succeed without a trace.
    """
    functions = ""
    for name in (f"c{number}" for number in range(1, count + 1)):
        body = ":" if name in silent else f"echo {name} >&3; return {int(name in failing)}"
        functions += f"{name}() {{ {body}; }}\n"
    ran = subprocess.run(
        ["sh", "-c", f"exec 3>&1 >/dev/null\n{functions}{script}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "yntax error" not in ran.stderr, (script, ran.stderr)
    return sorted(ran.stdout.split())


def with_pipelines(script: str, removed: set[str]) -> set[str]:
    """A pipeline goes as a whole."""
    pairs = [set(pair) for pair in re.findall(r"(c\d+) x \| (c\d+)", script)]
    return removed.union(*(pair for pair in pairs if pair & removed))


def ends_a_group(text: str, removed: set[str]) -> bool:
    """Whether one of the commands is the last of a group, or the condition of one: its status was the group's."""
    ends = r"\b[^;\n]*;?[\s\\]*(?:\}|\)|then|else|fi|done|;;|esac)"
    return any(re.search(name + ends, text) for name in removed)


def read(text: str) -> Script:
    parsed = Dockerfile.parse(text)
    script = Script.of(parsed, parsed.instructions[1])
    assert script is not None, text
    return script


@settings(max_examples=400, deadline=None)
@given(runs(), st.data())
def test_the_rest_runs_as_before(generated: Generated, data: st.DataObject) -> None:
    count = generated.count
    text = f"FROM a\n{generated.text}CMD z\n"
    before = read(text)
    names = [f"c{number}" for number in range(1, count + 1)]
    removed = set(data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)))
    edits = before.without([command for command in before.commands if command.name in removed])
    # Behind `||`, or last in a group, it hid the failure before it, which counts now: there nothing may fail.
    takes_failure = "||" in text.replace("|| true", "") or ends_a_group(text, removed)
    may_fail = [] if takes_failure else names
    failing = set(data.draw(st.lists(st.sampled_from(may_fail), max_size=3))) if may_fail else set()
    expected = behaviour(before.source.value, count, with_pipelines(text, removed), failing)
    if edits is None:
        assert expected == []
        return
    result = apply_edits(text, edits)
    after = read(result)
    assert result.startswith("FROM a\nRUN")
    assert result.endswith("\nCMD z\n")
    left = [command.name for command in after.commands if command.name in names]
    assert not removed & set(left)
    assert left == [command.name for command in before.commands if command.name in left]
    assert behaviour(after.source.value, count, set(), failing) == expected, result
    looks_written_by_hand(result)
    for index, each in enumerate(generated.items):
        if f"# about {index}\n" in text:
            own = re.findall(r"c\d+", each)
            stays = own[0] in left if re.match(r"c\d", each) else bool(set(left) & set(own))
            assert (f"# about {index}\n" in result) == stays, result


def looks_written_by_hand(text: str) -> None:
    lines = text.split("\n")
    for line, following in pairwise(lines):
        assert line.rstrip(" ") == line, text
        assert line.strip() not in ("&&", "||", ";", "\\", "&& \\", "; \\", "|| \\"), text
        assert line.strip() or following == "", text
        if line.endswith("\\") and following:
            assert not following.startswith("CMD"), text
