"""Takes commands out of a shell script so that the rest reads as if written by hand."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from msgspec import Struct, field

from phasewise.model.syntax.joined import Joined
from phasewise.model.syntax.shell_nodes import (
    Chain,
    Compound,
    Kind,
    Negated,
    Part,
    Pipeline,
    Role,
    Sequence,
    Simple,
    Tree,
    simples,
)
from phasewise.model.text import Edit, Span

_TESTS = {"[", "[[", "test", "true", "false", ":", "which", "type", "hash", "grep"}
_RETRIES = _TESTS | {"break", "continue", "sleep", "echo", "printf"}
_IDLE = _TESTS | {"set", "shopt", "cd", "echo", "printf", "export", "exit"}
_SILENCED = re.compile(r"(>[ \t]*/dev/null|>&\d)$")
_COMMENT_LINE = re.compile(r"\n[ \t]*#[^\n]*")
_REST_OF_LINE = re.compile(r"[ \t]*;?[ \t]*(#[^\n]*)?\r?(\n|$)")
_REST_OF_CONTINUED_LINE = re.compile(
    r"[ \t]*(?:[\\`][ \t]*\r?\n[ \t]*(?=[&|;]+[ \t]*[\\`]))?(&&|\|\||;)?[ \t]*[\\`][ \t]*\r?\n"
)
"""With the connector, which may stand on a line of its own."""
_SPACER = re.compile(r"[ \t]*[\\`]?[ \t]*\r?\n")
"""A line that is blank, or has only the continuation character."""
_TRAILING_COMMENT = re.compile(r"[ \t]+#[^\n]*")


class Pruner(Struct):
    """One removal from one script."""

    text: str
    """The file."""
    script: Joined
    """What the shell reads, with its places in the file."""
    removed: Collection[int]
    """Where in the script the commands to remove begin."""
    gone: set[tuple[int, int]] = field(default_factory=set)
    """The nodes that are taken out, by start and end."""
    edits: list[Edit] = field(default_factory=list)

    def prune(self, tree: Sequence) -> tuple[Edit, ...] | None:
        """The edits; None when nothing but idle commands (`set`, `cd`, `echo`) would be left."""
        if self._visit(tree) or all(_is_idle(command, _IDLE) for command in self._left(tree)):
            return None
        return tuple(_merged(self.edits))

    def _left(self, tree: Tree) -> Iterator[Simple]:
        if (tree.start, tree.end) in self.gone:
            return
        match tree:
            case Simple():
                yield tree
            case Negated():
                yield from self._left(tree.item)
            case Compound():
                for part in tree.parts:
                    yield from self._left(part.body)
            case _:
                for item in tree.items:
                    yield from self._left(item)

    def _visit(self, tree: Tree) -> bool:
        """Whether the node goes as a whole; otherwise its edits are noted."""
        before = len(self.edits)
        match tree:
            case Simple():
                gone = any(command.start in self.removed for command in simples(tree))
            case Negated():
                gone = self._visit(tree.item)
            case Pipeline():
                gone = self._any(tree.items)
            case Chain():
                gone = self._chain(tree)
            case Sequence():
                gone = self._sequence(tree)
            case Compound():
                gone = self._compound(tree)
        if gone:
            del self.edits[before:]
            self.gone.add((tree.start, tree.end))
        return gone

    def _any(self, trees: Iterable[Tree]) -> bool:
        """Whether one of them goes; all are visited."""
        gone = [self._visit(tree) for tree in trees]
        return any(gone)

    def _chain(self, tree: Chain) -> bool:
        gone = [self._visit(item) for item in tree.items]
        if not any(gone):
            return False
        leading = True
        for index, operator in enumerate(("&&", *(operator.value for operator in tree.operators))):
            if leading and operator == "||":
                gone[index] = True  # The alternative of something that is not there any more.
            leading = leading and gone[index]
        left = [item for item, is_gone in zip(tree.items, gone, strict=True) if not is_gone]
        if all(_is_idle(command, _TESTS) for item in left for command in simples(item)):
            return True
        self._mark(tree.items, gone)
        for first, last in _runs(gone):
            start, end = tree.items[first].start, tree.items[last].end
            after = tree.items[last + 1].start if last + 1 < len(gone) else None
            around = tree.operators[max(first - 1, 0) : last + 1]
            alike = after is not None and around[0].value == around[-1].value
            if after is not None and (first == 0 or (alike and self._leads_line(start, end, after))):
                self._cut_front(start, end, after)
            elif not self._cut_lines(start, end, alike=alike):
                self._cut_behind(tree.items[first - 1].end, end)
        return False

    def _sequence(self, tree: Sequence) -> bool:
        gone = [self._visit(item) for item in tree.items]
        if all(gone):
            return bool(gone)
        self._mark(tree.items, gone)
        ends = [mark or item.end for item, mark in zip(tree.items, tree.background, strict=True)]
        for first, last in _runs(gone):
            before = ends[first - 1] if first else None
            if lines := self._whole_lines(before, tree.items[first].start, ends[last]):
                self.edits.append(Edit(lines, ""))
                continue
            for start, stop in self._by_line(tree, first, last):
                self._cut_items(tree, ends, start, stop)
        return False

    def _by_line(self, tree: Sequence, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The run of items from `first` to `last`, split where a new line separates two of them."""
        for index in range(first, last):
            if "\n" in self.script.value[tree.items[index].end : tree.items[index + 1].start]:
                yield first, index
                first = index + 1
        yield first, last

    def _cut_items(self, tree: Sequence, ends: list[int], first: int, last: int) -> None:
        """Takes out items of a sequence with one of the separators around them."""
        before = ends[first - 1] if first else None
        start, end = tree.items[first].start, ends[last]
        after = tree.items[last + 1].start if last + 1 < len(ends) else None
        if lines := self._whole_lines(before, start, end):
            self.edits.append(Edit(lines, ""))
        elif after is not None and (before is None or self._joins_next(tree, first, last)):
            self._cut_front(start, end, after)
        elif before is not None and not (after is not None and self._cut_lines(start, end, alike=True)):
            self._cut_behind(before, end)

    def _joins_next(self, tree: Sequence, first: int, last: int) -> bool:
        """Whether the separator in front of the run must stay: `a & b; c`, `a; b & c`, or a line's end."""
        background = tree.background[first - 1] is not None or tree.background[last] is not None
        return background or self._leads_line(
            tree.items[first].start, tree.items[last].end, tree.items[last + 1].start
        )

    def _leads_line(self, start: int, end: int, after: int) -> bool:
        """Whether a line begins with what goes and continues with what stays."""
        span = self.script.span(start, end)
        return (
            self._line_start(span.start) is not None
            and "\n" not in self.text[span.end : self.script.place(after)]
        )

    def _compound(self, tree: Compound) -> bool:
        if self._any(tree.inner):
            return True
        gone = [bool(part.body.items) and self._visit(part.body) for part in tree.parts]
        if tree.kind is Kind.LOOP and self._only_retries(tree):
            return True
        if not any(gone):
            return False
        bodies = [(part, is_gone) for part, is_gone in zip(tree.parts, gone, strict=True) if _is_body(part)]
        conditions = [part for part in tree.parts if part.role is Role.CONDITION]
        harmless = all(_is_idle(command, _TESTS) for part in conditions for command in self._left(part.body))
        left = [part for part, is_gone in bodies if not is_gone and part.body.items]
        if tree.kind is Kind.GROUP or (tree.kind is Kind.LOOP and gone[0] and conditions):
            return True
        if tree.kind is not Kind.FUNCTION and not left and harmless:
            return True
        if tree.kind is Kind.IF and gone[0] and len(bodies) == 1 and _is_negation(tree.parts[0].body):
            return True  # What was to be done had the removed command failed.
        for part, is_gone in zip(tree.parts, gone, strict=True):
            if is_gone:
                self._empty(part, tree)
        return False

    def _only_retries(self, tree: Compound) -> bool:
        """Whether the loop only tried again what goes, and nothing is left in it but to wait and to leave it."""
        left = [*self._left(tree)]
        breaks = any(word.value == "break" for command in left for word in command.words[:1])
        removes = any(command.start in self.removed for command in simples(tree))
        return breaks and removes and all(_is_idle(command, _RETRIES) for command in left)

    def _empty(self, part: Part, tree: Compound) -> None:
        """Fills the place of a part that went while the compound command stays."""
        body = part.body
        if tree.kind is Kind.FUNCTION:
            self._replace(body.start, body.end, "{ :; }")
        elif part.role is Role.CONDITION:
            self._replace(body.start, body.end, "false" if _is_negation(body) else "true")
        elif part.role is Role.ELSE and part.follower >= 0:
            span = Span(self.script.place(part.start), self.script.place(part.follower))
            self.edits.append(Edit(span, ""))
        else:
            self._replace(body.start, body.end, ":")

    def _mark(self, items: Iterable[Tree], gone: Iterable[bool]) -> None:
        self.gone.update((item.start, item.end) for item, is_gone in zip(items, gone, strict=True) if is_gone)

    def _replace(self, start: int, end: int, replacement: str) -> None:
        self.edits.append(Edit(self.script.span(start, end), replacement))
        if comments := self._comments_above(self.script.place(start)):
            self.edits.append(Edit(comments, ""))

    def _cut_lines(self, start: int, end: int, *, alike: bool) -> bool:
        """Takes out the continued lines that hold nothing else, with the comments above; whether it could.

        The connector on these lines goes too: the one in front, or the one behind where both are `alike`.
        """
        span = self.script.span(start, end)
        line = self.text.rfind("\n", 0, span.start) + 1
        head = self.text[line : span.start].strip(" \t")
        rest = _REST_OF_CONTINUED_LINE.match(self.text, span.end)
        if not rest or head not in ("", "&&", "||") or bool(head) == bool(rest[1]) or not (head or alike):
            return False
        top, bottom = self._top_of_comments(line), rest.end()
        if _SPACER.fullmatch(self.text[self.text.rfind("\n", 0, top - 1) + 1 : top]):
            spacer = _SPACER.match(self.text, bottom)
            bottom = spacer.end() if spacer else bottom
        self.edits.append(Edit(Span(top, bottom), ""))
        return True

    def _cut_behind(self, before: int, end: int) -> None:
        """Takes out everything from the item that ends at `before` up to `end`."""
        comment = _TRAILING_COMMENT.match(self.script.value, end)
        span = self.script.span(before - 1, comment.end() if comment else end)
        self.edits.append(Edit(Span(span.start + 1, span.end), ""))

    def _cut_front(self, start: int, end: int, after: int) -> None:
        """Takes out the first items of a list, and what connects them with the next one, at `after`."""
        span, following = self.script.span(start, end), self.script.place(after)
        line = self._line_start(span.start)
        if comments := self._comments_above(span.start):
            self.edits.append(Edit(comments, ""))
        if not _COMMENT_LINE.search(self.text, span.end, following):
            self.edits.append(Edit(Span(span.start, following), ""))
            return
        gap = self.script.value[end:after]
        connector = self.script.span(end + len(gap) - len(gap.lstrip()), end + len(gap.rstrip()))
        newline = self.text.index("\n", span.end)
        behind = newline < connector.start
        stop = span.end if behind else connector.end
        if line is not None:
            self.edits.append(Edit(Span(line, newline + 1), ""))
        else:
            while self.text[stop] in " \t":
                stop += 1
            self.edits.append(Edit(Span(span.start, stop), ""))
        if behind:
            self.edits.append(Edit(Span(connector.start, following), ""))

    def _line_start(self, position: int) -> int | None:
        """Where the line of `position` starts; None when something stands before it there."""
        start = self.text.rfind("\n", 0, position) + 1
        return None if self.text[start:position].strip(" \t") else start

    def _comments_above(self, position: int, lowest: int = 0) -> Span | None:
        """The comment lines directly above the line that `position` begins, not above `lowest`."""
        line = self._line_start(position)
        top = line if line is None else self._top_of_comments(line, lowest)
        return None if line is None or top is None or top == line else Span(top, line)

    def _top_of_comments(self, line: int, lowest: int = 0) -> int:
        """Where the comment lines directly above the line that begins at `line` begin."""
        while line > lowest:
            above = self.text.rfind("\n", 0, line - 1) + 1
            content = self.text[above : line - 1].lstrip(" \t")
            if above < lowest or not content.startswith("#") or content.startswith("#!"):
                break
            line = above
        return line

    def _whole_lines(self, before: int | None, start: int, end: int) -> Span | None:
        """The lines of `start` to `end` with their comments, where they hold nothing else.

        Only in a script of several lines: in the others a line's end is a continuation.
        """
        if "\n" not in self.script.value:
            return None
        span = self.script.span(start, end)
        line = self._line_start(span.start)
        rest = _REST_OF_LINE.match(self.text, span.end)
        if line is None or rest is None or self.text[:line].rstrip("\r\n").endswith("\\"):
            return None
        bottom = self.script.place(0)
        top = self.script.place(before - 1) + 1 if before else bottom
        comments = self._comments_above(span.start, top)
        first, last = (comments.start if comments else line), rest.end()
        closes = last >= self.script.place(len(self.script.value) - 1) + 1
        blank_above = first == bottom or not self._line_above(first).strip()
        if blank_above and not closes and (blank := re.match(r"[ \t]*\r?\n", self.text[last:])):
            last += blank.end()
        elif closes and first > bottom and blank_above:
            first -= len(self._line_above(first)) + 1
        return Span(first, last)

    def _line_above(self, start: int) -> str:
        return self.text[self.text.rfind("\n", 0, start - 1) + 1 : start - 1]


def _is_body(part: Part) -> bool:
    return part.role is not Role.CONDITION


def _is_negation(body: Sequence) -> bool:
    return len(body.items) == 1 and isinstance(body.items[0], Negated)


def _is_idle(command: Simple, names: Collection[str]) -> bool:
    """Whether leaving the command out changes nothing that stays."""
    silenced = all(_SILENCED.search(redirect.value) for redirect in command.redirects)
    if not silenced or command.inner:
        return False
    if not command.words:
        return True
    name = command.words[0].value.rpartition("/")[2]
    options = [word.value for word in command.words[1:2]]
    return name in names or (name == "command" and options in (["-v"], ["-V"]))


def _runs(gone: list[bool]) -> Iterator[tuple[int, int]]:
    """First and last index of each unbroken run of True."""
    first: int | None = None
    for index, is_gone in enumerate([*gone, False]):
        if is_gone and first is None:
            first = index
        elif not is_gone and first is not None:
            yield first, index - 1
            first = None


def _merged(edits: Iterable[Edit]) -> Iterator[Edit]:
    """The edits in order; deletions that touch become one, and what lies within a deletion goes."""
    current: Edit | None = None
    for edit in sorted(edits, key=lambda edit: (edit.span.start, -edit.span.end)):
        if current and not current.replacement:
            deletes = not edit.replacement and edit.span.start <= current.span.end
            if deletes or current.span.covers(edit.span):
                current = Edit(Span(current.span.start, max(current.span.end, edit.span.end)), "")
                continue
        if current:
            yield current
        current = edit
    if current:
        yield current
