"""The commands of a RUN, and taking some of them out."""

import subprocess

import pytest

from phasewise.model.dockerfile import Dockerfile
from phasewise.model.shell import Script
from phasewise.model.text import apply_edits


def script(run: str, before: str = "FROM a\n") -> tuple[Dockerfile, Script | None]:
    parsed = Dockerfile.parse(before + run)
    return parsed, Script.of(parsed, parsed.stages[0].instructions[before.count("\n")])


def understood(run: str, before: str = "FROM a\n") -> tuple[Dockerfile, Script]:
    parsed, found = script(run, before)
    assert found is not None
    return parsed, found


def drop(run: str, name: str = "gone") -> str | None:
    """The RUN without the commands that mention `name`; None when nothing would be left."""
    parsed, found = understood(run)
    edits = found.without([command for command in found.commands if name in command.argv])
    return None if edits is None else apply_edits(parsed.text, edits).removeprefix("FROM a\n")


@pytest.mark.parametrize(
    ("run", "spans"),
    [
        ("RUN a && b -c || d; e & f", ["a", "b -c", "d", "e", "f"]),
        ("RUN --mount=type=cache,target=/x a b", ["a b"]),
        ("RUN A=1 B=x\\ y a 'b c' > d 2>&1", ["A=1 B=x\\ y a 'b c' > d 2>&1"]),
        ("RUN [ -f x ] && test -d y || [[ $z == a* ]]", ["[ -f x ]", "test -d y", "[[ $z == a* ]]"]),
        ("RUN x=$((1 + 2)) && echo $(($x * 2))", ["x=$((1 + 2))", "echo $(($x * 2))"]),
        ('RUN a $(b "$(c)") `d`', ['a $(b "$(c)") `d`', 'b "$(c)"', "c", "d"]),
        ("RUN diff <(a) <(b)", ["diff <(a) <(b)", "a", "b"]),
        ("RUN cat <<< word && a", ["cat <<< word", "a"]),
        ("RUN case $x in a|b) c;; *) d; e ;; esac", ["c", "d", "e"]),
        ("RUN f() { a; }; function g { b; }; f", ["a", "b", "f"]),
        ("RUN for x in 1 $(a); do b; done", ["a", "b"]),
        ("RUN while read x; do a; done < f", ["read x", "a"]),
        ("RUN if a; then b; elif c; then d; else e; fi", ["a", "b", "c", "d", "e"]),
        ("RUN (a; b) | c > x", ["a", "b", "c > x"]),
        ("RUN export A=1 && unset B && set -eux", ["export A=1", "unset B", "set -eux"]),
        ("RUN a > x b && > y", ["a > x b", "> y"]),
        ("RUN ! a && b 2>/dev/null || true", ["a", "b 2>/dev/null", "true"]),
        ("RUN a && \\\n    # why\n\n    b \\\n      c", ["a", "b \\\n      c"]),
        ("RUN a \\\r\n  && b\r\n", ["a", "b"]),
        ("RUN é=ü a && b 'ß\u00a0x' && c", ["é=ü a", "b 'ß\u00a0x'", "c"]),
        ("RUN a \udcff && b", ["a \udcff", "b"]),
        ("RUN <<EOF\na\n# c\nb \\\n  d\nEOF", ["a", "b \\\n  d"]),
        ("RUN <<-EOF\n\ta\n\t\tb\n\tEOF", ["a", "b"]),
        ("RUN <<EOF\n#!/usr/bin/env bash\na\nEOF", ["a"]),
        ("RUN bash -eux <<'EOF'\na\nb\nEOF", ["a", "b"]),
        ("RUN sh -o pipefail <<'EOF'\na\nEOF", ["a"]),
        ("RUN cat <<EOF > /x\na && (\nEOF", ["cat <<EOF > /x"]),
        ("RUN cat <<EOF > /x && b\na && (\nEOF", ["cat <<EOF > /x", "b"]),
        ("RUN a <<A && b <<-'B'\n(\nA\n)\n\tB", ["a <<A", "b <<-'B'"]),
        ("RUN <<EOF\ncat > /x <<END\n$(a)\nEND\nb\nEOF", ["cat > /x <<END", "b"]),
        ('RUN ["sh", "-c", "a && b"]', ['["sh", "-c", "a && b"]']),
    ],
)
def test_commands(run: str, spans: list[str]) -> None:
    parsed, found = understood(run)
    assert [command.span.of(parsed.text) for command in found.commands] == spans


@pytest.mark.parametrize(
    "run",
    [
        "RUN a && (",
        "RUN if a; then b",
        "RUN a | | b",
        "RUN python <<EOF\nimport x\nEOF",
        "RUN /opt/venv/bin/python3.12 - <<EOF\nimport x\nEOF",
        "RUN <<EOF\n#!/usr/bin/env python3\nimport x\nEOF",
        "RUN <<EOF\ncat <<END | b\nx\nEND\nEOF",
        "ONBUILD RUN a",
        "CMD a",
    ],
)
def test_what_is_not_understood_is_left_alone(run: str) -> None:
    assert script(run)[1] is None


@pytest.mark.parametrize(
    ("shell", "posix"),
    [
        ('["/bin/bash", "-o", "pipefail", "-c"]', True),
        ('["/bin/ash", "-eo", "pipefail", "-c"]', True),
        ('["dash", "-ec"]', True),
        ('["bash", "-lc"]', True),
        ('["powershell", "-command"]', False),
        ('["cmd", "/S", "/C"]', False),
        ('["python3", "-c"]', False),
        ('["bash"]', False),
    ],
)
def test_only_posix_shells_are_read(shell: str, posix: bool) -> None:
    _, found = script("RUN a\n", f"FROM a\nSHELL {shell}\n")
    assert (found is not None) == posix


def test_an_exec_form_needs_no_shell() -> None:
    _, found = understood('RUN ["pip", "install", "x"]\n', 'FROM a\nSHELL ["cmd"]\n')
    assert found.commands[0].argv == ("pip", "install", "x")


def test_custom_escape_character() -> None:
    text = "# escape=`\nFROM a\nRUN a && `\n    gone && `\n    b\\x\n"
    parsed = Dockerfile.parse(text)
    found = Script.of(parsed, parsed.instructions[-1])
    assert found is not None
    edits = found.without([command for command in found.commands if command.name == "gone"])
    assert edits is not None
    assert apply_edits(text, edits) == "# escape=`\nFROM a\nRUN a && `\n    b\\x\n"


def test_parts_of_a_command() -> None:
    parsed, found = understood(
        "RUN A=1 B='x y' /opt/venv/bin/pip install \"a>=$V\" 'b c' d\\ e ${X:-y}/z > /log 2>&1\n"
    )
    (command,) = found.commands
    assert command.name == "pip"
    assert command.argv == ("/opt/venv/bin/pip", "install", "a>=$V", "b c", "d e", "${X:-y}/z")
    assert command.words[2].span.of(parsed.text) == '"a>=$V"'
    assert command.assignments == (("A", "1"), ("B", "x y"))
    assert command.redirects == ("> /log", "2>&1")


def test_double_quotes_lose_their_escapes_only() -> None:
    _, found = understood('RUN a "x\\"y\\$z\\w $(b  "c") `d`"\n')
    assert found.commands[0].argv[1] == 'x"y$z\\w $(b  "c") `d`'


@pytest.mark.parametrize(
    ("run", "ignored"),
    [
        ("RUN a || true", ["a"]),
        ("RUN a && b || : && c", ["a", "b"]),
        ("RUN a || b || true", ["a", "b"]),
        ("RUN a; b || true", ["b"]),
        ("RUN { a; b; } || true", ["a", "b"]),
        ("RUN (a && b) 2>/dev/null || true; c", ["a", "b"]),
        ("RUN a || echo no", []),
        ("RUN a | b || true", ["a", "b"]),
    ],
)
def test_ignored_failures(run: str, ignored: list[str]) -> None:
    _, found = understood(run)
    assert [c.name for c in found.commands if c.failure_ignored] == ignored


@pytest.mark.parametrize(
    ("run", "certain"),
    [
        ("RUN x a && x b; x c", "abc"),
        ("RUN x a || x b && x c", "ac"),
        ("RUN test -d /d && x a; x b", "b"),
        ("RUN [ -n y ] && x a", ""),
        ("RUN command -v d && x a", ""),
        ("RUN if d; then x a; fi; { x b; }", "b"),
        ("RUN for d in e; do x a; done; x b | x c", ""),
        ('RUN ["x", "a"]', "a"),
    ],
)
def test_what_runs_in_every_build(run: str, certain: str) -> None:
    _, found = understood(run)
    calls = [command for command in found.commands if command.name == "x"]
    assert "".join(command.argv[1] for command in calls if found.certain(command)) == certain


def test_conditions() -> None:
    _, found = understood("RUN if a && ! b; then c; elif d; then e; fi; while f; do g; done; { h; }")
    assert [c.name for c in found.commands if c.condition] == ["a", "b", "d", "f"]


REMOVALS = {
    "first of a chain": ("RUN gone && b && c\n", "RUN b && c\n"),
    "middle of a chain": ("RUN a && gone && c\n", "RUN a && c\n"),
    "last of a chain": ("RUN a && gone\n", "RUN a\n"),
    "two beside each other": ("RUN a && gone x && gone y && b\n", "RUN a && b\n"),
    "two apart": ("RUN gone && a && gone && b && gone\n", "RUN a && b\n"),
    "operators behind": (
        "RUN a && \\\n    # what goes\n    gone && \\\n    # what stays\n    b\n",
        "RUN a && \\\n    # what stays\n    b\n",
    ),
    "operators in front": (
        "RUN a \\\n    # what goes\n    && gone \\\n    # what stays\n    && b\n",
        "RUN a \\\n    # what stays\n    && b\n",
    ),
    "a loop that only tried it again": (
        "RUN for i in 1 2; do gone && break || (echo no && sleep 5); done && b\n",
        "RUN b\n",
    ),
    "a loop that tries something else again": (
        "RUN for i in 1 2; do gone && a && break || sleep 5; done\n",
        "RUN for i in 1 2; do a && break || sleep 5; done\n",
    ),
    "last of a chain before else and fi": (
        "RUN if x; then \\\n    a && \\\n    # goes\n    gone; \\\n    else \\\n    b && \\\n    gone; \\\n    fi\n",
        "RUN if x; then \\\n    a; \\\n    else \\\n    b; \\\n    fi\n",
    ),
    "last of a chain before a command of its own": (
        "RUN a && \\\n    b && \\\n    gone; \\\n    c\n",
        "RUN a && \\\n    b; \\\n    c\n",
    ),
    "last line, operators behind": ("RUN a && \\\n    gone\nCMD b\n", "RUN a\nCMD b\n"),
    "last line, operators in front": ("RUN a \\\n # c\n    && gone\nCMD b\n", "RUN a\nCMD b\n"),
    "first line, operators behind": ("RUN gone && \\\n    b && \\\n    c\n", "RUN b && \\\n    c\n"),
    "first line, operators in front": ("RUN gone \\\n    && b \\\n    && c\n", "RUN b \\\n    && c\n"),
    "first line, and the second has a comment": (
        "RUN gone && \\\n    # stays\n    b && \\\n    c\n",
        "RUN \\\n    # stays\n    b && \\\n    c\n",
    ),
    "first line in front, and the second has a comment": (
        "RUN gone \\\n    # stays\n    && b \\\n    && c\n",
        "RUN \\\n    # stays\n    b \\\n    && c\n",
    ),
    "first, on a line of its own": (
        "RUN --mount=type=cache,target=/x \\\n    # goes\n    gone && \\\n    b\n",
        "RUN --mount=type=cache,target=/x \\\n    b\n",
    ),
    "first, on a line of its own, before a comment": (
        "RUN \\\n    # goes\n    gone && \\\n    # stays\n    b\n",
        "RUN \\\n    # stays\n    b\n",
    ),
    "a comment set apart stays": (
        "RUN a && \\\n    # section\n\n    # goes\n    gone && \\\n    b\n",
        "RUN a && \\\n    # section\n\n    b\n",
    ),
    "a comment set apart stays, operators in front": (
        "RUN a \\\n    # section\n\n    # goes\n    && gone \\\n    && b\n",
        "RUN a \\\n    # section\n\n    && b\n",
    ),
    "a command over several lines": (
        "RUN a && \\\n    gone -x \\\n      -y \\\n      # c\n      -z && \\\n    b\n",
        "RUN a && \\\n    b\n",
    ),
    "semicolons": (
        "RUN set -eux; \\\n    gone; \\\n    b; \\\n    c\n",
        "RUN set -eux; \\\n    b; \\\n    c\n",
    ),
    "semicolons on lines of their own": (
        "RUN set -eux; \\\n\ta \\\n\t\tx \\\n\t; \\\n\t\\\n\tgone \\\n\t\ty \\\n\t; \\\n\t\\\n\tb\n",
        "RUN set -eux; \\\n\ta \\\n\t\tx \\\n\t; \\\n\t\\\n\tb\n",
    ),
    "in front of another on its line": (
        "RUN a; \\\n    gone; b; \\\n    c\n",
        "RUN a; \\\n    b; \\\n    c\n",
    ),
    "in front of another on its line of a chain": (
        "RUN a && \\\n    gone && b && \\\n    c\n",
        "RUN a && \\\n    b && \\\n    c\n",
    ),
    "between operators that differ": (
        "RUN a && \\\n    gone || b && \\\n    c\n",
        "RUN a || b && \\\n    c\n",
    ),
    "last semicolon": ("RUN set -eux; \\\n    b; \\\n    gone\n", "RUN set -eux; \\\n    b\n"),
    "last semicolon, closed": ("RUN b; gone;\n", "RUN b;\n"),
    "ignored failure": ("RUN a && gone || true\n", "RUN a || true\n"),
    "ignored failure in a list": ("RUN a; gone || true; b\n", "RUN a; b\n"),
    "with an alternative": ("RUN gone || b && c\n", "RUN c\n"),
    "the alternative itself": ("RUN a || gone && c\n", "RUN a && c\n"),
    "group": ("RUN a && { gone; } && b\n", "RUN a && b\n"),
    "group that keeps something": ("RUN a && { b; gone; c; } && d\n", "RUN a && { b; c; } && d\n"),
    "subshell": ("RUN a; (gone) || true; b\n", "RUN a; b\n"),
    "pipeline": ("RUN a && x | xargs gone && b\n", "RUN a && b\n"),
    "if": ("RUN a; if [ -d x ]; then gone; fi; b\n", "RUN a; b\n"),
    "if over lines": (
        "RUN a; \\\n    # goes\n    if [ -d x ]; then \\\n      gone; \\\n    fi; \\\n    b\n",
        "RUN a; \\\n    b\n",
    ),
    "if that keeps something": (
        "RUN if [ -d x ]; then \\\n      a; \\\n      gone; \\\n    fi\n",
        "RUN if [ -d x ]; then \\\n      a; \\\n    fi\n",
    ),
    "if with else": ("RUN if a; then gone; else b; fi\n", "RUN if a; then :; else b; fi\n"),
    "else": ("RUN if a; then \\\n  b; \\\nelse \\\n  gone; \\\nfi\n", "RUN if a; then \\\n  b; \\\nfi\n"),
    "elif": ("RUN if a; then b; elif c; then gone; fi\n", "RUN if a; then b; elif c; then :; fi\n"),
    "if whose condition does something": ("RUN if a; then gone; fi; b\n", "RUN if a; then :; fi; b\n"),
    "condition": ("RUN if gone; then b; fi\n", "RUN if true; then b; fi\n"),
    "condition that watched it": ("RUN a; if ! gone; then exit 1; fi\n", "RUN a\n"),
    "condition with else": ("RUN if ! gone; then a; else b; fi\n", "RUN if false; then a; else b; fi\n"),
    "guard": ("RUN a; [ -d x ] && gone; b\n", "RUN a; b\n"),
    "guard by name": ("RUN a; command -v x >/dev/null 2>&1 && gone; b\n", "RUN a; b\n"),
    "loop": ("RUN a; for x in 1 2; do gone $x; done; b\n", "RUN a; b\n"),
    "loop that keeps something": (
        "RUN for x in 1 2; do a; gone $x; done\n",
        "RUN for x in 1 2; do a; done\n",
    ),
    "case": ("RUN case $x in a) gone;; b) c;; esac\n", "RUN case $x in a) :;; b) c;; esac\n"),
    "function": ("RUN f() { gone; }; f\n", "RUN f() { :; }; f\n"),
    "substitution": ("RUN a $(gone) && b\n", "RUN b\n"),
    "background": ("RUN a & gone; b\n", "RUN a & b\n"),
    "into the background": ("RUN a; gone & b\n", "RUN a; b\n"),
    "comment at the end": ("RUN a && gone # why\n", "RUN a\n"),
    "no final newline": ("RUN a && \\\n    gone", "RUN a"),
    "carriage returns": ("RUN a && \\\r\n    gone && \\\r\n    b\r\n", "RUN a && \\\r\n    b\r\n"),
    "not ascii": ("RUN é && gone 'ü' && ß\n", "RUN é && ß\n"),
    "heredoc": (
        "RUN <<EOF\nset -e\na\n\n# goes\ngone\n\nb\nEOF\n",
        "RUN <<EOF\nset -e\na\n\nb\nEOF\n",
    ),
    "first in a heredoc": ("RUN <<EOF\n# goes\ngone\nb\nEOF\n", "RUN <<EOF\nb\nEOF\n"),
    "last in a heredoc": ("RUN <<EOF\nb\n\n# goes\ngone # here\nEOF\n", "RUN <<EOF\nb\nEOF\n"),
    "shebang in a heredoc": ("RUN <<EOF\n#!/bin/sh\ngone\nb\nEOF\n", "RUN <<EOF\n#!/bin/sh\nb\nEOF\n"),
    "on a line with others in a heredoc": (
        "RUN <<EOF\na; gone\ngone; b\nc\nEOF\n",
        "RUN <<EOF\na\nb\nc\nEOF\n",
    ),
    "beside a comment in a heredoc": (
        "RUN <<EOF\na # stays\ngone\nb\nEOF\n",
        "RUN <<EOF\na # stays\nb\nEOF\n",
    ),
    "chain in a heredoc": ("RUN <<EOF\na &&\n  gone &&\n  b\nEOF\n", "RUN <<EOF\na &&\n  b\nEOF\n"),
    "continued line in a heredoc": (
        "RUN <<EOF\na \\\n  -b\ngone \\\n  -c\nd\nEOF\n",
        "RUN <<EOF\na \\\n  -b\nd\nEOF\n",
    ),
    "if in a heredoc": ("RUN <<EOF\nif [ x ]; then\n  gone\nfi\nb\nEOF\n", "RUN <<EOF\nb\nEOF\n"),
    "in an if in a heredoc": (
        "RUN <<EOF\nif [ x ]; then\n  a\n  # goes\n  gone\nfi\nEOF\n",
        "RUN <<EOF\nif [ x ]; then\n  a\nfi\nEOF\n",
    ),
    "heredoc with tabs": ("RUN <<-EOF\n\ta\n\t# goes\n\tgone\n\tb\n\tEOF\n", "RUN <<-EOF\n\ta\n\tb\n\tEOF\n"),
    "before a heredoc inside": (
        "RUN <<EOF\ngone\ncat > x <<END\n# data\nEND\nb\nEOF\n",
        "RUN <<EOF\ncat > x <<END\n# data\nEND\nb\nEOF\n",
    ),
    "with its heredoc inside": ("RUN <<EOF\na\ngone <<END\n# data\nEND\nb\nEOF\n", "RUN <<EOF\na\nb\nEOF\n"),
    "behind a heredoc inside": (
        "RUN <<EOF\ncat <<END\nx\n# END\nEND\ngone\nb\nEOF\n",
        "RUN <<EOF\ncat <<END\nx\n# END\nEND\nb\nEOF\n",
    ),
    "in bash": ("RUN bash -e <<'EOF'\na\ngone\nEOF\n", "RUN bash -e <<'EOF'\na\nEOF\n"),
    "beside a command with a heredoc": (
        "RUN cat <<EOF > x && gone\ndata\nEOF\nCMD a\n",
        "RUN cat <<EOF > x\ndata\nEOF\nCMD a\n",
    ),
    "with its heredoc": ("RUN a && gone <<EOF && b\ndata\nEOF\nCMD a\n", "RUN a && b\nCMD a\n"),
    "one of two with heredocs": (
        "RUN a <<A && gone <<B\n1\nA\n2\nB\nCMD a\n",
        "RUN a <<A\n1\nA\nCMD a\n",
    ),
    "with its heredoc at the end of the file": ("RUN a && gone <<EOF\ndata\nEOF", "RUN a\n"),
}


@pytest.mark.parametrize("name", REMOVALS)
def test_without(name: str) -> None:
    before, after = REMOVALS[name]
    assert drop(before) == after


@pytest.mark.parametrize("name", REMOVALS)
def test_shells_accept_what_is_left(name: str) -> None:
    """`sh -n` reads the script that the builder would pass on."""
    _, left = understood(REMOVALS[name][1].split("CMD")[0])
    source = left.source.value.replace("\r", "")
    bodies = [heredoc.span.of(left.text) for heredoc in left.instruction.heredocs]
    if "\n" not in source:
        source = "\n".join([source, "".join(bodies)])
    for shell in ("sh", "bash"):
        checked = subprocess.run([shell, "-n"], input=source, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, ""), source


@pytest.mark.parametrize(
    "run",
    [
        "RUN gone\n",
        "RUN gone || true\n",
        "RUN set -eux; gone\n",
        "RUN cd /app && gone .\n",
        "RUN [ -d /x ] && gone /x || true\n",
        "RUN echo compiling && gone && echo done\n",
        "RUN if [ -d x ]; then gone; fi\n",
        "RUN x | xargs gone\n",
        "RUN <<EOF\nset -e\n# c\ngone\nEOF\n",
        'RUN ["gone", "x"]\n',
    ],
)
def test_nothing_left(run: str) -> None:
    assert drop(run) is None


def test_nothing_to_remove_changes_nothing() -> None:
    _, found = understood("RUN a && b\n")
    assert found.without([]) == ()
