"""The Dockerfile model against BuildKit's own parser (package `dockerfile`) and against Docker's scoping."""

import re

import dockerfile as oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasewise.model.dockerfile import KEYWORDS, Dockerfile, DockerfileError, Instruction
from phasewise.model.syntax.scopes import Scope

CORPUS = {
    "plain": "FROM a\nRUN b\n",
    "no final newline": "FROM a\nRUN b",
    "nothing but FROM": "FROM a",
    "lower case": "from a as B\nrun c\ncopy --from=b x y\n",
    "crlf": "FROM a\r\nRUN b \\\r\n  c\r\nCMD d\r\n",
    "crlf with a blank line in a continuation": "FROM a\r\nRUN b \\\r\n\r\n  c\r\n",
    "byte order mark": "\ufeffFROM a\nRUN b\n",
    "byte order mark and directive": "\ufeff# escape=`\nFROM a\nRUN b `\n c\n",
    "blank line in a continuation": "FROM a\nRUN b && \\\n\n    c && \\\n   \t\n\n    d\nCMD e\n",
    "comment in a continuation": "FROM a\nRUN b && \\\n    # why \\\n# because\n    c\nCMD d\n",
    "comment after a backslash is none": "FROM a\nRUN b \\ # no comment\nRUN c\n",
    "spaces behind the backslash": "FROM a\nRUN b \\ \t \n c\nRUN d\n",
    "two backslashes": "FROM a\nRUN b \\\\\nRUN c\n",
    "three backslashes": "FROM a\nRUN b \\\\\\\nRUN c\n",
    "backslash alone on its line": "FROM a\nRUN b \\\n\\\n  c\nRUN d\n",
    "keyword cut in two": "FROM a\nRU\\\nN b\nRUN c\n",
    "continuation before the keyword": "FROM a\n  \\\nRUN b\n",
    "continuation to the end": "FROM a\nRUN b \\\n",
    "continuation into blanks at the end": "FROM a\nRUN b \\\n\n\n",
    "continuation into a comment at the end": "FROM a\nRUN b && \\\n# c",
    "keyword alone with a continuation": "FROM a\nRUN \\\n    b && \\\n    c\n",
    "keyword and tab": "FROM\ta\nRUN\tb\n\tCMD\tc\n",
    "form feed and vertical tab": "\x0cFROM a\x0bAS\x0cb\nRUN x\x0cy\n",
    "unicode line separators": "FROM a\nRUN x\u2028y\x85z\x1cw\nRUN v\u2029\nCMD q\n",
    "no-break space before a keyword": "FROM a\n\u00a0RUN b\n",
    "carriage return alone": "FROM a\nRUN b\rc\nRUN d\n",
    "escape": "# escape=`\nFROM a\nRUN b `\n  c\\\nRUN d\n",
    "escape behind syntax": "# syntax=docker/dockerfile:1\n#  Escape = `\nFROM a\nRUN b `\n c\n",
    "escape too late": "# a comment\n# escape=`\nFROM a\nRUN b `\nRUN c \\\n d\n",
    "escape behind a blank line": "\n# escape=`\nFROM a\nRUN c \\\n d\n",
    "indented directive": "  # escape=`\nFROM a\nRUN b `\n c\n",
    "unknown directive": "# foo=bar\n# escape=`\nFROM a\nRUN c \\\n d\n",
    "heredoc": "FROM a\nRUN <<EOF\napt-get update\n\n# not a Dockerfile comment\nRUN nothing\nEOF\nRUN b\n",
    "heredoc at the end": "FROM a\nRUN <<EOF\nb\nEOF",
    "heredoc with tabs": "FROM a\nRUN <<-EOF\n\t\tb\n\tEOF\nRUN c\n",
    "heredoc whose end is indented": "FROM a\nRUN <<EOF\n\tEOF\nEOF\nRUN c\n",
    "heredoc with continuations inside": "FROM a\nRUN <<EOF\nb \\\nEOF\nRUN c\n",
    "quoted delimiters": "FROM a\nRUN <<'E F'\nb\nE F\nRUN cat <<\"X\" <<\\Y\nX\nY\nRUN c\n",
    "two heredocs": "FROM a\nRUN cat <<A <<-B > /x\n1\nB\nA\n2\n\tB\nRUN c\n",
    "heredoc of COPY": "FROM a\nCOPY <<EOF <<f.txt /x/\nFROM b\nEOF\nf\nf.txt\nADD <<x /y\n\nx\n",
    "heredoc of ONBUILD": "FROM a\nONBUILD RUN <<EOF\nb\nEOF\nRUN c\n",
    "heredoc in crlf": "FROM a\r\nRUN <<EOF\r\nb\r\nEOF\r\nRUN c\r\n",
    "heredoc behind a continuation": "FROM a\nRUN b && \\\n  # c\n  cat <<EOF\nd\nEOF\nRUN e\n",
    "heredoc with a redirect": "FROM a\nRUN cat <<EOF > /x && b\nd\nEOF\nRUN e\n",
    "heredoc with a descriptor": "FROM a\nRUN b 3<<EOF\nd\nEOF\nRUN e\n",
    "empty heredoc": "FROM a\nRUN <<EOF\nEOF\nRUN e\n",
    "here-string is no heredoc": "FROM a\nRUN cat <<<EOF\nRUN b\n",
    "shift is no heredoc": "FROM a\nRUN echo $((1<<EOF))\nRUN b\n",
    "space behind the arrows": "FROM a\nRUN cat << EOF\nRUN b\n",
    "quoted arrows are no heredoc": "FROM a\nRUN echo '<<EOF' \"<<EOF\" x<<EOF\nRUN b\n",
    "arrows in CMD are no heredoc": "FROM a\nCMD cat <<EOF\nENV X=<<EOF\n",
    "arrows in a JSON form are no heredoc": 'FROM a\nRUN ["cat", "<<EOF"]\nRUN b\n',
    "heredoc on a line that does not lex": "FROM a\nRUN echo ${X <<EOF\nRUN b\n",
    "heredoc behind a variable": "FROM a\nRUN ${X:-y} <<EOF\n$Z\nEOF\nRUN b\n",
    "JSON forms": 'FROM a\nCMD [ "a" , "b c" ]\nENTRYPOINT ["\\u00e9\\n"]\nCOPY ["a b", "c"]\n',
    "JSON and more": 'FROM a\nCMD ["a"] b\nENTRYPOINT [a]\nRUN [ -f x ]\nCMD []\n',
    "health check": 'FROM a\nHEALTHCHECK --interval=5s --retries=3 \\\n  CMD ["a", "b"]\nHEALTHCHECK NONE\n',
    "flags": "FROM --platform=$P a\nRUN --mount=type=cache \\\n  --network='n o' b\nCOPY --link a b\n",
    "double dash": "FROM a\nRUN -- --b\n",
    "flags only": "FROM a\nRUN --mount=type=tmpfs\n",
    "quotes and escapes in flags": 'FROM a\nCOPY --chown="a b":c\\ d x y\n',
    "env": "FROM a\nENV A=b\\ c D='e f' G=\"h i\"\nENV K  the rest  of it \nLABEL a=b\nARG x y=1\n",
    "arguments that are missing": "FROM a\nRUN\nENV\n",
    "ARG before FROM": "ARG V=1\n# c\nARG W\nFROM a:$V\n",
    "everything blank": "\n \n\t\nFROM a\n\n\n\nRUN b\n\n",
}

REFUSED = {
    "empty": ("", 1, "no instructions"),
    "only comments": ("# a\n\n# b\n", 1, "no instructions"),
    "no FROM": ("ARG A=1\nARG B\n", 2, "no FROM"),
    "RUN before FROM": ("RUN b\nFROM a\n", 1, "before the first FROM"),
    "FROM without image": ("FROM\n", 1, "names no image"),
    "FROM with a word too many": ("FROM a b\n", 1, "FROM takes"),
    "FROM without AS": ("FROM a is b\n", 1, "FROM takes"),
    "unknown instruction": ("FROM a\n\nFOO b\n", 3, "unknown instruction: FOO"),
    "cut chain": ("FROM a\nRUN b \\ # c\n && d\n", 3, "unknown instruction: &&"),
    "open heredoc": ("FROM a\nRUN <<EOF\nb\n", 2, "<<EOF never ends"),
    "open second heredoc": ("FROM a\nRUN <<A <<B\nB\nA\n", 2, "<<B never ends"),
    "bad escape": ("# escape=x\nFROM a\n", 1, "escape can be"),
    "escape twice": ("# escape=`\n# escape=`\nFROM a\n", 2, "twice"),
    "ENV without value": ("FROM a\nENV A=b C\n", 2, "C has no value"),
    "LABEL without value": ("FROM a\nLABEL A\n", 2, "A has no value"),
    "numbers in JSON": ('FROM a\nCMD ["a", 1]\n', 2, "only strings"),
}


def boundaries(text: str) -> list[tuple[int, int, str]]:
    return [(each.start_line, each.end_line, each.cmd.upper()) for each in oracle.parse_string(text)]


def same_as_oracle(text: str) -> Dockerfile:
    parsed = Dockerfile.parse(text)
    expected = oracle.parse_string(text)
    assert [(i.line, i.end_line, i.keyword) for i in parsed.instructions] == boundaries(text)
    for mine, theirs in zip(parsed.instructions, expected, strict=True):
        assert [f"--{f.name}={f.value}" if f.value else f"--{f.name}" for f in mine.flags] == list(
            theirs.flags
        )
        if mine.keyword in ("RUN", "CMD", "ENTRYPOINT"):
            assert (mine.exec_form is not None) == theirs.json
            assert (mine.exec_form or tuple(filter(None, [mine.value]))) == theirs.value or theirs.json
            assert not theirs.json or mine.exec_form == theirs.value
    return parsed


def check_spans(parsed: Dockerfile) -> None:
    """Spans are in order, name their instruction, and leave only blanks, comments and continuations out."""
    text, position, outside = parsed.text, 0, []
    for instruction in parsed.instructions:
        outside.append(text[position : instruction.span.start])
        position = instruction.span.end
        assert instruction.span.covers(instruction.arguments)
        assert all(instruction.span.covers(flag.span) for flag in instruction.flags)
        assert all(flag.span.of(text).startswith("--") for flag in instruction.flags)
        assert parsed.line_of(instruction.span.start) == instruction.line
        assert parsed.line_of(instruction.span.end) == instruction.end_line
        assert text[instruction.span.end :][:1] in ("", "\n", "\r")
        joined = instruction.joined
        assert joined.value == instruction.value
        assert "".join(text[joined.place(k)] for k in range(len(joined.value))) == instruction.value
        for heredoc in instruction.heredocs:
            assert heredoc.span.covers(heredoc.body)
            last = text[heredoc.body.end : heredoc.span.end].rstrip("\r\n")
            assert (last.lstrip("\t") if heredoc.chomps else last) == heredoc.delimiter
        for word in parsed.words(instruction):
            assert instruction.arguments.covers(word.span)
    outside.append(text[position:])
    for line in "".join(outside).lstrip("\ufeff").split("\n"):
        assert not line.strip() or line.strip().startswith("#")
    for comment in parsed.comments:
        assert comment.span.of(text).startswith("#")
        assert comment.text in comment.span.of(text)
        assert parsed.line_of(comment.span.start) == comment.line


def only(text: str) -> tuple[Dockerfile, Instruction]:
    parsed = Dockerfile.parse(f"FROM a\n{text}")
    return parsed, parsed.instructions[-1]


@pytest.mark.parametrize("name", CORPUS)
def test_instructions_are_those_of_buildkit(name: str) -> None:
    parsed = same_as_oracle(CORPUS[name])
    assert parsed.text == CORPUS[name]
    check_spans(parsed)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_built_is_refused(name: str) -> None:
    text, line, message = REFUSED[name]
    with pytest.raises(DockerfileError, match=re.escape(message)) as caught:
        Dockerfile.parse(text, "api/Dockerfile")
    assert str(caught.value).startswith(f"api/Dockerfile:{line}: ")


LINES = st.sampled_from(
    [
        "RUN a",
        "run a && \\",
        "  b \\",
        "  b && \\ ",
        "  c",
        "# comment",
        "  # comment \\",
        "",
        "   ",
        "\t\\",
        "RUN <<EOF",
        "RUN cat <<-'EOF' > x && \\",
        "COPY <<A <<EOF /x",
        "EOF",
        "\tEOF",
        "A",
        'CMD ["a", "b"]',
        'CMD ["a", \\',
        '  "b"]',
        "FROM b AS c",
        "FROM c",
        "COPY --from=c --link a b",
        "COPY --from=c \\",
        "ONBUILD RUN x",
        'ENV A="b c" D=e',
        "RUN echo '<<EOF' \\\\",
        "RUN é\u2028x \\",
        "HEALTHCHECK --interval=1s CMD x",
        "RU\\",
        "N x",
        'RUN "<<EOF',
        "RUN `",
        "ARG X=1",
        "ENV A",
        "LABEL A=b C",
        "ENV A b=c \\",
    ]
)
ENDINGS = st.sampled_from(["\n", "\n", "\n", "\r\n"])
HEADS = st.sampled_from(
    ["FROM a\n", "FROM a\r\n", "\ufeffFROM a\n", "# escape=`\nFROM a\n", "ARG X\nFROM a:$X\n"]
)


@st.composite
def dockerfiles(draw: st.DrawFn) -> str:
    lines = draw(st.lists(LINES, max_size=12))
    text = draw(HEADS) + "".join(line + draw(ENDINGS) for line in lines)
    return text if draw(st.booleans()) else text.rstrip("\r\n")


@settings(deadline=None)
@given(dockerfiles())
def test_generated_files_are_read_as_buildkit_reads_them(text: str) -> None:
    try:
        found = oracle.parse_string(text)
    except oracle.GoParseError:
        with pytest.raises(DockerfileError):
            Dockerfile.parse(text)
        return
    if any((each.cmd or "").upper() not in KEYWORDS for each in found):
        with pytest.raises(DockerfileError, match="unknown instruction"):
            Dockerfile.parse(text)
        return
    check_spans(same_as_oracle(text))


@settings(deadline=None)
@given(st.text(alphabet="FROMRUN ab\\`#<EO-\n\r\t\"'$[]{}\ufeff\u2028\udc80", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for source in (text, f"FROM a\n{text}"):
        try:
            parsed = Dockerfile.parse(source)
        except DockerfileError:
            continue
        assert parsed.text == source
        check_spans(parsed)


def test_undecodable_bytes_survive() -> None:
    text = b"FROM a\nRUN echo \xff\xfe && b\nCMD c\n".decode("utf-8", "surrogateescape")
    parsed = Dockerfile.parse(text)
    check_spans(parsed)
    assert parsed.instructions[1].value.encode("utf-8", "surrogateescape") == b"echo \xff\xfe && b"


def test_check_directive_does_not_hide_escape() -> None:
    parsed = Dockerfile.parse("# check=skip=all\n# escape=`\nFROM a\nRUN b `\n  c\n")
    assert parsed.directives == {"check": "skip=all", "escape": "`"}
    assert parsed.instructions[1].value == "b   c"


def test_parts_of_an_instruction() -> None:
    text = "FROM a\n# one\n\n# two\n# three\n"
    text += "RUN --mount=type=cache,target=/x \\\n  # c\n  b && \\\n\n  d\nCMD e\n"
    parsed = Dockerfile.parse(text)
    run = parsed.instructions[1]
    assert (run.line, run.end_line, run.stage) == (6, 10, 0)
    assert run.value == "b &&   d"
    assert run.arguments.of(text) == "b && \\\n\n  d"
    assert run.flag("mount") == "type=cache,target=/x"
    assert run.flag("network") is None
    assert run.flags[0].span.of(text) == "--mount=type=cache,target=/x"
    assert [comment.text for comment in run.comments] == ["two", "three"]
    assert [comment.text for comment in parsed.comments] == ["one", "two", "three"]
    assert parsed.lines(run).of(text) == text[text.index("# two") : text.index("CMD")]
    assert parsed.lines(run, comments=False).of(text) == text[text.index("RUN") : text.index("CMD")]


def test_directives_belong_to_no_instruction() -> None:
    parsed = Dockerfile.parse("# syntax=docker/dockerfile:1\n# about\nFROM a\n")
    assert [comment.text for comment in parsed.instructions[0].comments] == ["about"]
    assert parsed.directives == {"syntax": "docker/dockerfile:1"}


def test_lines_of_the_last_instruction_without_newline() -> None:
    parsed, cmd = only("  CMD x")
    assert parsed.lines(cmd).of(parsed.text) == "  CMD x"


def test_lines_leave_the_byte_order_mark() -> None:
    parsed = Dockerfile.parse("\ufeffFROM a\nRUN b\n")
    assert parsed.lines(parsed.instructions[0]).of(parsed.text) == "FROM a\n"


def test_heredoc_parts() -> None:
    parsed, copy = only("COPY <<'A' <<-B /x/\n1\nA\n\t2\n\tB\n")
    first, second = copy.heredocs
    assert (first.delimiter, first.expands, first.chomps) == ("A", False, False)
    assert (second.delimiter, second.expands, second.chomps) == ("B", True, True)
    assert first.body.of(parsed.text) == "1\n"
    assert second.span.of(parsed.text) == "\t2\n\tB\n"
    assert copy.arguments.of(parsed.text) == "<<'A' <<-B /x/"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("CMD [\"a\", 'b']", None),
        ('CMD ["a", "b"]', ("a", "b")),
        ('CMD [ "a\\n\\u00e9" ]', ("a\né",)),
        ("CMD []", ()),
        ("CMD [ -f x ]", None),
        ('RUN --network=none ["a"]', ("a",)),
        ('SHELL ["bash", "-c"]', ("bash", "-c")),
        ('HEALTHCHECK --retries=1 CMD ["a"]', ("a",)),
        ("HEALTHCHECK CMD a", None),
        ("HEALTHCHECK NONE", None),
        ('ENTRYPOINT [\\\n  "a", \\\n  # c\n  "b" \\\n]', ("a", "b")),
        ('LABEL ["a"]=b', None),
    ],
)
def test_exec_form(line: str, expected: tuple[str, ...] | None) -> None:
    assert only(line)[1].exec_form == expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("COPY a  b\tc /x", [("a", "a"), ("b", "b"), ("c", "c"), ("/x", "/x")]),
        ("COPY \"a\" 'b' /x", [("a", '"a"'), ("b", "'b'"), ("/x", "/x")]),
        ('COPY --link ["a b", "c"]', [("a b", '"a b"'), ("c", '"c"')]),
        ("COPY a \\\n  # c\n  b /x", [("a", "a"), ("b", "b"), ("/x", "/x")]),
        ("EXPOSE 80 443/udp", [("80", "80"), ("443/udp", "443/udp")]),
        ('ENV A="b c" D=e\\ f', [("A=b c", 'A="b c"'), ("D=e f", "D=e\\ f")]),
        ('ENV PATH="/x:$PATH"', [("PATH=/x:$PATH", 'PATH="/x:$PATH"')]),
        ("ENV A b c", [("A", "A"), ("b c", "b c")]),
        ("ARG X", [("X", "X")]),
        ("USER a b", [("a b", "a b")]),
        ('VOLUME ["/a"]', [("/a", '"/a"')]),
        ("HEALTHCHECK --retries=1 CMD a 'b c'", [("CMD", "CMD"), ("a", "a"), ("b c", "'b c'")]),
        ("HEALTHCHECK NONE", [("NONE", "NONE")]),
        ("CMD a 'b c'", [("a", "a"), ("b c", "'b c'")]),
    ],
)
def test_words(line: str, words: list[tuple[str, str]]) -> None:
    parsed, instruction = only(line)
    assert [(word.value, word.span.of(parsed.text)) for word in parsed.words(instruction)] == words


STAGES = """\
ARG FLAVOUR=slim
ARG FROM_STAGE=base
FROM python:3.12-${FLAVOUR} AS base
FROM --platform=linux/amd64 $FROM_STAGE AS Builder
RUN a
FROM base
COPY --from=builder /a /a
FROM scratch AS other
COPY --from=nginx /b /b
COPY --from=2 /c /c
RUN --mount=type=bind,from=BASE,target=/x --mount=type=cache,target=/y z
COPY --from=other /self /self
"""


def test_stages() -> None:
    parsed = Dockerfile.parse(STAGES)
    base, builder, third, other = parsed.stages
    assert [stage.label for stage in parsed.stages] == ["base", "Builder", "2", "other"]
    assert base.base == "python:3.12-${FLAVOUR}"
    assert (builder.base, builder.base_stage, builder.platform) == ("$FROM_STAGE", 0, "linux/amd64")
    assert (third.name, third.base_stage) == (None, 0)
    assert [i.keyword for i in third.instructions] == ["FROM", "COPY"]
    assert parsed.stage(None) is other
    assert parsed.stage("BUILDER") is builder
    assert parsed.stage("2") is third
    assert parsed.lineage(third) == (base, third)
    assert parsed.dependents(base) == (builder, third, other)
    assert parsed.dependents(builder) == (third,)
    assert parsed.dependents(other) == ()
    assert parsed.needed_by(third) == {0, 1, 2}
    assert parsed.needed_by(other) == {0, 1, 2, 3}
    assert parsed.needed_by(builder) == {0, 1}


def test_source_stage() -> None:
    parsed = Dockerfile.parse(STAGES)
    sources = [parsed.source_stage(i) for i in parsed.instructions if i.keyword == "COPY"]
    assert [source.index if source else None for source in sources] == [1, None, 2, None]


def test_a_missing_stage_names_those_that_exist() -> None:
    parsed = Dockerfile.parse(STAGES)
    with pytest.raises(DockerfileError, match="no stage nope; it has: base, Builder, 2, other"):
        parsed.stage("nope")
    with pytest.raises(DockerfileError, match="no stage 7"):
        parsed.stage("7")


def test_from_may_name_an_image_like_a_later_stage() -> None:
    parsed = Dockerfile.parse("FROM app AS one\nFROM one AS app\n")
    assert [stage.base_stage for stage in parsed.stages] == [None, 0]


def at(text: str, keyword: str = "CMD") -> tuple[Dockerfile, Instruction]:
    parsed = Dockerfile.parse(text)
    return parsed, [i for i in parsed.instructions if i.keyword == keyword][-1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ARG V=1\nFROM a\nCMD x", {}),
        ("ARG V=1\nFROM a\nARG V\nCMD x", {"V": "1"}),
        ("ARG V=1\nFROM a\nARG V=2\nCMD x", {"V": "2"}),
        ("FROM a\nARG V\nCMD x", {}),
        ("FROM a\nARG V=1\nARG V\nCMD x", {"V": "1"}),
        ("FROM a\nARG V=1 W=${V}2\nCMD x", {"V": "1", "W": "12"}),
        ("FROM a\nARG V=1\nENV V=2\nARG V=3\nCMD x", {"V": "2"}),
        ("FROM a\nENV A=1 B=$A\nCMD x", {"A": "1", "B": "$A"}),
        (
            "FROM a\nENV A=1\nENV B=$A C=${A}x D='$A' E=\\$A F=\"$A b\"\nCMD x",
            {"A": "1", "B": "1", "C": "1x", "D": "$A", "E": "$A", "F": "1 b"},
        ),
        ("FROM a\nENV A=${X:-y} B=${X:+y} C=${X-z}\nCMD x", {"A": "y", "B": "", "C": "z"}),
        ("FROM a\nENV X=1\nENV A=${X:-y} B=${X:+y$X}\nCMD x", {"X": "1", "A": "1", "B": "y1"}),
        ("FROM a\nENV K the  rest $K\nCMD x", {"K": "the  rest $K"}),
        ("FROM a AS b\nENV A=1\nARG V=2\nFROM b\nCMD x", {"A": "1", "V": "2"}),
        ("FROM a AS b\nENV A=1\nFROM a\nCMD x", {}),
        ("FROM a\nCMD x\nENV A=1", {}),
        ("FROM a\nENV PATH=/venv/bin:$PATH\nCMD x", {"PATH": "/venv/bin:$PATH"}),
        ("# escape=`\nFROM a\nENV A=`$B C=a\\b\nCMD x", {"A": "$B", "C": "a\\b"}),
    ],
)
def test_variables(text: str, expected: dict[str, str]) -> None:
    parsed, instruction = at(text)
    assert parsed.variables(instruction) == expected


def test_from_sees_global_arguments_only() -> None:
    parsed = Dockerfile.parse("ARG V=1\nARG W=${V}.2\nFROM a AS b\nENV V=9\nFROM c:$W\n")
    assert parsed.variables(parsed.instructions[-1]) == {"V": "1", "W": "1.2"}
    assert parsed.expand("c:$W", parsed.instructions[-1]) == "c:1.2"


def test_expand() -> None:
    parsed, cmd = at("FROM a\nARG U\nENV A=1 PATH=/x:$PATH\nCMD x")
    assert parsed.expand("${A}/'b $A'", cmd) == "1/b $A"
    assert parsed.expand("$U", cmd) is None
    assert parsed.expand("$nothing", cmd) is None
    assert parsed.expand("${U:-d}", cmd) == "d"
    assert parsed.expand("$PATH", cmd) is None
    assert parsed.expand("${broken", cmd) is None
    assert parsed.expand("plain", cmd) == "plain"


def test_shell_user_and_workdir_come_down_through_stages() -> None:
    text = (
        'ARG U=app\nFROM a AS b\nARG U\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]\nUSER $U\nWORKDIR /srv\n'
        "FROM b\nRUN one\nWORKDIR app/../x\nUSER 1000:1000\nCMD x\nFROM a\nENTRYPOINT y\n"
    )
    parsed, cmd = at(text)
    run = next(i for i in parsed.instructions if i.keyword == "RUN")
    fresh = parsed.instructions[-1]
    assert parsed.shell(cmd) == ("/bin/bash", "-o", "pipefail", "-c")
    assert (parsed.user(run), parsed.workdir(run)) == ("app", "/srv")
    assert (parsed.user(cmd), parsed.workdir(cmd)) == ("1000:1000", "/srv/x")
    assert (parsed.shell(fresh), parsed.user(fresh), parsed.workdir(fresh)) == (("/bin/sh", "-c"), "", "/")


def test_what_a_stage_ends_with() -> None:
    text = (
        "ARG V=1\nFROM a AS base\nENV X=1\nUSER app\nFROM base\nARG V\nENV Y=$X$V\nWORKDIR /srv\nUSER root\n"
    )
    parsed = Dockerfile.parse(text)
    first, second = (parsed.final(stage) for stage in parsed.stages)
    assert (first.user, first.variables) == ("app", {"X": "1"})
    assert (second.user, second.workdir) == ("root", "/srv")
    assert second.variables == {"X": "1", "V": "1", "Y": "11"}


def test_what_is_in_force_is_read_once_a_stage() -> None:
    lines = [f"RUN echo {number}\nENV V{number % 7}={number}" for number in range(300)]
    parsed = Dockerfile.parse("ARG A=1\nFROM a AS base\nARG A\n" + "\n".join(lines) + "\nFROM base\nRUN x\n")
    fed: list[str] = []
    original = Scope.feed

    def counted(self: Scope, instruction: Instruction) -> None:
        fed.append(instruction.keyword)
        original(self, instruction)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scope, "feed", counted)
        for number, run in enumerate(i for i in parsed.stages[0].instructions if i.keyword == "RUN"):
            variables = parsed.variables(run)
            assert variables["A"] == "1"
            assert variables.get(f"V{(number - 1) % 7}") == (str(number - 1) if number else None)
        assert parsed.variables(parsed.stages[1].instructions[-1])["V5"] == "299"
    assert len(fed) < 3 * len(parsed.instructions)
