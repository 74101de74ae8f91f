"""Edits of YAML by span: what is not meant stays, byte for byte."""

import pytest

from phasewise.model.builds.yaml_edit import (
    YamlRefusal,
    add_entry,
    add_item_before,
    compose,
    differences,
    edited,
    embedded,
    load,
    node_at,
    quoted,
    set_scalar,
    value_of,
)
from phasewise.model.text import Edit, Span, apply_edits

TEXT = (
    "# top\r\n"
    "on: [push]   # flow\r\n"
    "services:\r\n"
    "  my.api:\r\n"
    "    build:\r\n"
    "      context: './x'  # here\r\n"
    "      'quoted key': {a: b}\r\n"
    "jobs:\r\n"
    "- steps:\r\n"
    "    - run: |\r\n"
    "        echo é😀\r\n"
    "\r\n"
    "        docker build .\r\n"
    "    # about the second\r\n"
    "    - uses: a@v1\r\n"
)


def changed(text: str, edit: Edit) -> tuple[list[str], list[str]]:
    """The lines that went and those that came."""
    old, new = text.split("\n"), apply_edits(text, [edit]).split("\n")
    return [line for line in old if line not in new], [line for line in new if line not in old]


def test_addresses() -> None:
    root = compose(TEXT)
    assert node_at(root, "services.my.api.build.context").value == "./x"
    assert node_at(root, "jobs[0].steps[1].uses").value == "a@v1"
    assert node_at(root, "services.my.api.build.quoted key.a").value == "b"
    for missing in ("services.web", "jobs[3]", "on.x", "jobs.steps", "services[0]"):
        with pytest.raises(YamlRefusal, match="not written out"):
            node_at(root, missing)


@pytest.mark.parametrize("text", ["", "# nothing\n", "a: [", "a: b: c\n", "a: &x *y\n", "\x00"])
def test_what_is_not_yaml_is_refused(text: str) -> None:
    with pytest.raises(YamlRefusal):
        compose(text)


def test_a_scalar_keeps_its_quotes_and_its_comment() -> None:
    node = node_at(compose(TEXT), "services.my.api.build.context")
    assert changed(TEXT, set_scalar(node, "it's")) == (
        ["      context: './x'  # here\r"],
        ["      context: 'it''s'  # here\r"],
    )
    with pytest.raises(YamlRefusal, match="block of text"):
        set_scalar(node_at(compose(TEXT), "jobs[0].steps[0].run"), "x")


@pytest.mark.parametrize(
    ("value", "style", "flow", "written"),
    [
        ("a/b.c", None, False, "a/b.c"),
        ("a: b", None, False, '"a: b"'),
        ("a #b", None, False, '"a #b"'),
        ("#a", None, False, '"#a"'),
        ("${{ matrix.x || 'Dockerfile' }}/y", None, False, "${{ matrix.x || 'Dockerfile' }}/y"),
        ("${{ matrix.x }}", None, True, '"${{ matrix.x }}"'),
        ('say "x"', '"', False, '"say \\"x\\""'),
        ("plain", '"', False, '"plain"'),
        ("", None, False, '""'),
    ],
)
def test_quoting_reads_back(value: str, style: str | None, flow: bool, written: str) -> None:
    assert quoted(value, style, flow) == written
    assert load(f"[{written}]" if flow else f"k: {written}\n") == ([value] if flow else {"k": value})


def test_an_entry_goes_behind_its_neighbour() -> None:
    mapping = node_at(compose(TEXT), "services.my.api.build")
    edit = add_entry(TEXT, mapping, "dockerfile", "D", after="context")
    assert changed(TEXT, edit) == ([], ["      dockerfile: D\r"])
    result = apply_edits(TEXT, [edit])
    assert "# here\r\n      dockerfile: D\r\n      'quoted key'" in result


def test_an_entry_goes_first_where_the_neighbour_is_not_one_line() -> None:
    text = "a:\n  - with:\n      - 1\n    z: 2\n"
    item = node_at(compose(text), "a[0]")
    assert apply_edits(text, [add_entry(text, item, "file", "x", after="with")]) == (
        "a:\n  - file: x\n    with:\n      - 1\n    z: 2\n"
    )
    assert load(apply_edits(text, [add_entry(text, item, "file", "x")]))["a"][0]["file"] == "x"


def test_an_entry_of_a_flow_mapping_and_one_at_the_end_of_the_file() -> None:
    text = "a: {b: c, d: e}"
    mapping = node_at(compose(text), "a")
    assert apply_edits(text, [add_entry(text, mapping, "x", "y", after="b")]) == "a: {b: c, x: y, d: e}"
    assert apply_edits(text, [add_entry(text, mapping, "x", "y")]) == "a: {x: y, b: c, d: e}"
    text = "a:\n  b: c"
    assert (
        apply_edits(text, [add_entry(text, node_at(compose(text), "a"), "x", "y", after="b")])
        == f"{text}\n  x: y"
    )
    with pytest.raises(YamlRefusal, match="no mapping"):
        add_entry("a: []", node_at(compose("a: []"), "a"), "x", "y")


def test_an_item_goes_above_the_comments_of_the_next() -> None:
    steps = node_at(compose(TEXT), "jobs[0].steps")
    edit = add_item_before(TEXT, steps, 1, ("name: x", "run: y"))
    result = apply_edits(TEXT, [edit])
    assert "docker build .\r\n    - name: x\r\n      run: y\r\n    # about the second\r\n    - uses" in result
    with pytest.raises(YamlRefusal):
        add_item_before("a: [b]", node_at(compose("a: [b]"), "a"), 0, ("c",))


def test_an_item_keeps_the_blank_line_between_items() -> None:
    text = "steps:\n  - uses: a\n\n  # b\n  - uses: b\n\n  -\n    uses: c\n"
    steps = node_at(compose(text), "steps")
    assert apply_edits(text, [add_item_before(text, steps, 1, ("run: x",))]) == (
        "steps:\n  - uses: a\n\n  - run: x\n\n  # b\n  - uses: b\n\n  -\n    uses: c\n"
    )
    assert load(apply_edits(text, [add_item_before(text, steps, 2, ("run: x",))]))["steps"][2] == {"run": "x"}


def test_differences() -> None:
    before = {"a": {"b": [1, {"c": 2}]}, "x": 1}
    assert list(differences(before, {"a": {"b": [1, {"c": 3}]}, "x": 1})) == ["a.b[1].c"]
    assert list(differences(before, {"a": {"b": [1]}, "y": 1})) == ["a.b", "x", "y"]
    assert not list(differences(before, before))


def test_an_edit_that_changes_more_than_meant_is_refused() -> None:
    text = "x: &x {a: 1}\ny: *x\n"
    edit = Edit(Span(10, 11), "2")
    with pytest.raises(YamlRefusal, match=r"y\.a"):
        edited(text, [edit], {"x.a"})
    assert edited(text, [edit], {"x.a", "y.a"}) == "x: &x {a: 2}\ny: *x\n"
    with pytest.raises(YamlRefusal):
        edited(text, [Edit(Span(10, 11), "1")], {"x.a"})


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("run: |\n    a\n      b\n\n    c # d\n# no part of it\n", "a\n  b\n\nc # d\n"),
        ("run: |-\r\n  a\r\n  b\r\n", "a\nb\n"),
        ("run: >\n  a\n  b\n", "a b "),
        ("run: a b  # c\n", "a b"),
        ("run: a\n  b\n", "a   b"),
        ("run: 'it''s'\n", "it's"),
        ('run: "a \\"b\\" \\\\"\n', 'a "b" \\'),
    ],
)
def test_the_text_in_a_scalar_knows_its_place(text: str, content: str) -> None:
    found = embedded(text, value_of(compose(text), "run"))
    assert found.text == content
    for character, offset in zip(found.text, found.offsets, strict=True):
        assert text[offset] == character or (character == " " and text[offset] == "\n")


def test_escapes_that_stand_for_something_else_are_refused() -> None:
    text = 'run: "a\\nb"\n'
    with pytest.raises(YamlRefusal, match="escape"):
        embedded(text, value_of(compose(text), "run"))
