"""Shell text as a small tree of lists, pipelines and compound commands, from tree-sitter-bash."""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter_bash
from msgspec import Struct
from tree_sitter import Language, Parser
from tree_sitter import Node as Raw

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
    Token,
    Tree,
)

_LANGUAGE = Language(tree_sitter_bash.language())
_ATOMS = {
    "word",
    "string",
    "raw_string",
    "ansi_c_string",
    "translated_string",
    "concatenation",
    "simple_expansion",
    "expansion",
    "command_substitution",
    "process_substitution",
    "arithmetic_expansion",
    "brace_expression",
    "number",
    "test_operator",
    "extglob_pattern",
    "regex",
    "variable_name",
}
_SIMPLE = {
    "command",
    "declaration_command",
    "unset_command",
    "test_command",
    "variable_assignment",
    "variable_assignments",
}
_LOOPS = {"while_statement", "for_statement", "c_style_for_statement"}


class Unsupported(ValueError):
    """The text does not parse, or holds something that cannot be edited safely."""


def parse(script: str) -> Sequence:
    """The script's statements.

    Raises:
        Unsupported: it does not parse, or a heredoc's line goes on with another command.
    """
    # The shell splits at ASCII blanks only and a word is a word in any alphabet: one plain character
    # for each other one keeps byte offsets equal to character offsets.
    plain = re.sub(r"[^\n\t -~]", lambda match: " " if match[0] == "\r" else "x", script)
    root = Parser(_LANGUAGE).parse(plain.encode("ascii")).root_node
    if root.has_error:
        raise Unsupported("not understood by the shell's grammar")
    return _Reader(script).sequence(root.children, 0, len(script))


class _Reader(Struct, frozen=True):
    script: str

    def sequence(self, nodes: list[Raw], start: int, end: int) -> Sequence:
        items: list[Tree] = []
        background: list[int | None] = []
        for node in nodes:
            if node.type == "&" and items:
                background[-1] = node.end_byte
            elif node.is_named and node.type not in ("comment", "heredoc_body", "heredoc_end"):
                items.append(self.statement(node))
                background.append(None)
        if items:
            start, end = items[0].start, items[-1].end
        return Sequence(start, end, tuple(items), tuple(background))

    def statement(self, node: Raw, redirects: tuple[Raw, ...] = ()) -> Tree:
        """The tree of one statement; `redirects` stand behind it."""
        end = max([node.end_byte, *(redirect.end_byte for redirect in redirects)])
        if node.type == "redirected_statement":
            own = tuple(child for child in node.children if child.type.endswith("_redirect"))
            body = node.child_by_field_name("body")
            return (
                self.simple(node, own + redirects) if body is None else self.statement(body, own + redirects)
            )
        if node.type in _SIMPLE:
            return self.simple(node, redirects)
        if node.type in ("list", "pipeline"):
            items, operators = self.joined(node, redirects)
            if node.type == "list":
                return Chain(node.start_byte, end, tuple(items), tuple(operators))
            return Pipeline(node.start_byte, end, tuple(items))
        if node.type == "negated_command":
            item = self.statement(node.named_children[-1], redirects)
            return Negated(node.start_byte, end, item)
        return self.compound(node, redirects, end)

    def joined(self, node: Raw, redirects: tuple[Raw, ...]) -> tuple[list[Tree], list[Token]]:
        """The items of a list or pipeline; a redirect behind it belongs to its last item."""
        items: list[Tree] = []
        operators: list[Token] = []
        parts = [child for child in node.children if child.type != "comment"]
        for part in parts:
            if not part.is_named:
                operators.append(Token(part.type, part.start_byte, part.end_byte))
                continue
            tree = self.statement(part, redirects if part == parts[-1] else ())
            if isinstance(tree, Chain) and not items:
                items, operators = list(tree.items), list(tree.operators)
            else:
                items.append(tree)
        return items, operators

    def compound(self, node: Raw, redirects: tuple[Raw, ...], end: int) -> Compound:
        parts: tuple[Part, ...]
        match node.type:
            case "compound_statement" | "subshell":
                if node.children[0].type == "((":
                    parts, kind = (), Kind.FUNCTION
                else:
                    parts, kind = (self.part(Role.BODY, node.children[1:-1], node),), Kind.GROUP
            case "if_statement":
                parts, kind = tuple(self.branches(node)), Kind.IF
            case loop if loop in _LOOPS:
                parts, kind = tuple(self.loop(node)), Kind.LOOP
            case "case_statement":
                cases = [child for child in node.children if child.type == "case_item"]
                parts, kind = tuple(self.case(child) for child in cases), Kind.CASE
            case "function_definition":
                body = node.child_by_field_name("body")
                parts, kind = ((self.part(Role.BODY, [body], node),) if body else ()), Kind.FUNCTION
            case other:
                raise Unsupported(f"{other} in the script")
        covered = [part.body for part in parts]
        inner = [
            tree
            for child in (*node.children, *redirects)
            for tree in self.inner(child)
            if not any(body.start <= tree.start < body.end for body in covered)
        ]
        return Compound(node.start_byte, end, kind, parts, tuple(inner))

    def part(self, role: Role, nodes: list[Raw], keyword: Raw) -> Part:
        start = nodes[0].start_byte if nodes else keyword.end_byte
        follower = keyword.next_sibling
        follows = follower.start_byte if follower else -1
        return Part(role, keyword.start_byte, follows, self.sequence(nodes, start, start))

    def branches(self, node: Raw) -> Iterator[Part]:
        """Condition and body of `if` and each `elif`, and the body of `else`."""
        keyword: Raw | None = node
        role, nodes = Role.CONDITION, list[Raw]()
        for child in node.children[1:]:
            if child.type not in ("then", "elif_clause", "else_clause", "fi"):
                nodes.append(child)
                continue
            if keyword is not None:
                yield self.part(role, nodes, keyword)
            keyword, role, nodes = None, Role.BODY, []
            if child.type == "then":
                keyword = child
            elif child.type == "elif_clause":
                yield from self.branches(child)
            elif child.type == "else_clause":
                yield self.part(Role.ELSE, child.children[1:], child)
        if keyword is not None:
            yield self.part(role, nodes, keyword)

    def loop(self, node: Raw) -> Iterator[Part]:
        body = node.children[-1]
        if node.type == "while_statement":
            yield self.part(Role.CONDITION, node.children[1:-1], node)
        yield self.part(Role.BODY, body.children[1:-1], body)

    def case(self, node: Raw) -> Part:
        close = next(index for index, child in enumerate(node.children) if child.type == ")")
        return self.part(Role.OPTIONAL, node.children[close + 1 :], node)

    def simple(self, node: Raw, redirects: tuple[Raw, ...]) -> Simple:
        words: list[Token] = []
        assignments: list[tuple[str, str]] = []
        spans: list[Token] = []
        own = [] if node.type == "redirected_statement" else [node]
        for child in (*own, *redirects):
            self.collect(child, words, assignments, spans)
        words.sort(key=lambda word: word.start)
        if words and words[0].value in ("{", "}", "!"):
            raise Unsupported("a group where the grammar sees a command")
        ends = [word.end for word in (*words, *spans)]
        if own:
            ends.append(node.end_byte)
        inner = tuple(tree for child in (*own, *redirects) for tree in self.inner(child))
        start = min([node.start_byte, *(redirect.start for redirect in spans)])
        end = max([*ends, *(redirect.end_byte for redirect in redirects)])
        spans.sort(key=lambda redirect: redirect.start)
        return Simple(start, end, max(ends), tuple(words), tuple(assignments), tuple(spans), inner)

    def collect(
        self,
        node: Raw,
        words: list[Token],
        assignments: list[tuple[str, str]],
        redirects: list[Token],
    ) -> None:
        """Sorts what a command is made of."""
        if node.type == "variable_assignment":
            name, _, value = self.script[node.start_byte : node.end_byte].partition("=")
            last = node.children[-1]
            assignments.append((name, self.value(last) if last.type != "=" else value))
        elif node.type == "heredoc_redirect":
            if any(
                child.is_named and not child.type.startswith(("heredoc_", "file_")) for child in node.children
            ):
                raise Unsupported("a heredoc's line goes on with another command")
            opener = next(child for child in node.children if child.type == "heredoc_start")
            redirects.append(self.written(node.start_byte, opener.end_byte))
            for child in node.children:
                if child.type == "file_redirect":
                    self.collect(child, words, assignments, redirects)
        elif node.type == "file_redirect":
            first, *extra = node.children_by_field_name("destination") or [node]
            redirects.append(self.written(node.start_byte, first.end_byte))
            words += [self.token(child) for child in extra]
        elif node.type == "herestring_redirect":
            redirects.append(self.written(node.start_byte, node.end_byte))
        elif node.type in _ATOMS:
            words.append(self.token(node))
        elif not node.is_named:
            words.append(Token(node.type, node.start_byte, node.end_byte))
        elif node.type != "comment":
            for child in node.children:
                self.collect(child, words, assignments, redirects)

    def written(self, start: int, end: int) -> Token:
        return Token(self.script[start:end], start, end)

    def token(self, node: Raw) -> Token:
        return Token(self.value(node), node.start_byte, node.end_byte)

    def value(self, node: Raw) -> str:
        """What the word says: quotes removed, expansions as written."""
        text = self.script[node.start_byte : node.end_byte]
        match node.type:
            case "raw_string":
                return text[1:-1]
            case "string":
                return self.double_quoted(node)
            case "concatenation":
                return "".join(self.value(child) for child in node.children)
            case "command_name":
                return self.value(node.children[0])
            case "word" | "extglob_pattern":
                return re.sub(r"\\(\n|.)", lambda match: match[1].strip("\n"), text, flags=re.DOTALL)
            case _:
                return text

    def double_quoted(self, node: Raw) -> str:
        parts: list[str] = []
        position = node.start_byte + 1
        expansions = [child for child in node.named_children if child.type != "string_content"]
        for child in [*expansions, None]:
            stop = child.start_byte if child else node.end_byte - 1
            parts.append(re.sub(r"\\([$`\"\\\n])", lambda m: m[1].strip("\n"), self.script[position:stop]))
            if child:
                parts.append(self.script[child.start_byte : child.end_byte])
                position = child.end_byte
        return "".join(parts)

    def inner(self, node: Raw) -> Iterator[Tree]:
        """What runs in the substitutions within `node`; heredoc bodies are data."""
        if node.type in ("command_substitution", "process_substitution"):
            body = [child for child in node.children if not child.type.endswith("_redirect")]
            yield self.sequence(body, node.start_byte, node.end_byte)
        elif node.type != "heredoc_body":
            for child in node.children:
                yield from self.inner(child)
