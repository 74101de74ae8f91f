"""A rule's page in Markdown, made from the rule itself: what it does, its examples, and when it stays silent."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator

from phasewise.model.phase import Choice, Declined, Phase
from phasewise.rules.base import Example, Rule

_WHOLE_FILE = 1_000_000
_MOST_LINES = 60
_BACKTICKS = re.compile(r"`+")
_MARKUP = re.compile(r"[\\`*<>\[\]]|(?<![A-Za-z0-9])_+|_+(?![A-Za-z0-9])")


def page(rule: Rule) -> str:
    """All that there is to say of `rule`, as Markdown that ends with a newline.

    The examples' results are what the rule proposes for them now, so that a page cannot differ from its rule.
    """
    phases = [_proposed(rule, example) for example in rule.FIRES]
    parts = [
        f"# {rule.title}",
        _facts(rule, phases),
        documentation(rule),
        *_choices(rule, phases),
        "## What it changes",
        *_changes(rule.FIRES, phases),
        "## Stays silent when",
        *_silence(rule),
    ]
    return "\n\n".join(parts) + "\n"


def contents(rules: Iterable[Rule]) -> str:
    """A line for each rule, in the order given: its id, its risk and its title, in columns."""
    known = list(rules)
    cells = max((len(rule.id) for rule in known), default=0)
    return "".join(f"{rule.id:<{cells}}  {rule.risk:<5}  {rule.title}\n" for rule in known)


def documentation(rule: Rule) -> str:
    """The rule's docstring as paragraphs without indentation or a final newline."""
    return inspect.cleandoc(type(rule).__doc__ or "")


def _facts(rule: Rule, phases: Iterable[Phase]) -> str:
    lines = [
        f"- Phase: `{rule.id}`, applied with `phasewise apply {rule.id}`",
        f"- Risk: {rule.risk}, {rule.risk.meaning}",
        f"- Place in the plan: {rule.order}; smaller comes earlier",
    ]
    known = list(phases)
    for label, ids in (
        ("Needs", {id for phase in known for id in phase.needs}),
        ("Excludes", {id for phase in known for id in phase.excludes}),
    ):
        if ids:
            lines.append(f"- {label}: {', '.join(f'`{id}`' for id in sorted(ids))}")
    return "\n".join(lines)


def _choices(rule: Rule, phases: Iterable[Phase]) -> Iterator[str]:
    """What is left to the user, with the options of the first example that leaves it."""
    found: dict[str, Choice] = {}
    for phase in phases:
        for choice in phase.choices:
            found.setdefault(choice.id, choice)
    if found:
        yield "## What you may choose"
    for choice in found.values():
        several = "any of" if choice.multiple else "one of"
        options = "".join(f"\n- `{option.id}`: {_prose(option.label)}" for option in choice.options)
        yield f"{_prose(choice.title)}: `--pick {rule.id}.{choice.id}=`, {several}\n{options}"


def _proposed(rule: Rule, example: Example) -> Phase:
    phase = rule.propose(example.view(), example.picks)
    if isinstance(phase, Declined):
        raise ValueError(f"{rule.id}: an example does not fire: {phase.reason}")
    return phase


def _changes(examples: Iterable[Example], phases: Iterable[Phase]) -> Iterator[str]:
    """Each example as a diff with the whole Dockerfile around it; what was shown already is not repeated."""
    shown = set()
    for example, phase in zip(examples, phases, strict=True):
        if example.title:
            yield f"### {_prose(example.title)}"
        for edit in phase.edits:
            diff = edit.diff(_WHOLE_FILE if edit.path == "Dockerfile" else 3)
            if diff not in shown:
                shown.add(diff)
                yield _fenced("diff", diff)


def _silence(rule: Rule) -> Iterator[str]:
    """What the rule says to its silent examples, each reason with the titles that it stands for."""
    titles: dict[str, list[str]] = {}
    for example in rule.SILENT:
        answer = rule.propose(example.view(), example.picks)
        if isinstance(answer, Declined):
            titles.setdefault(answer.reason, []).append(example.title)
    for reason, known in titles.items():
        listed = "".join(f"\n  - {_prose(title)}" for title in known if title)
        yield f"- {_prose(reason)}{listed}"


def _fenced(language: str, text: str) -> str:
    """`text` as a code block whose fence is longer than any in it; a long file is cut, and says so."""
    lines = text.rstrip("\n").split("\n")
    body = "\n".join(lines[:_MOST_LINES])
    longest = max((len(run) for run in _BACKTICKS.findall(body)), default=0)
    fence = "`" * max(3, longest + 1)
    rest = f"\n\n{len(lines) - _MOST_LINES} more lines follow." if len(lines) > _MOST_LINES else ""
    return f"{fence}{language}\n{body}\n{fence}{rest}"


def _prose(text: str) -> str:
    """A sentence with code spans, but with no other markup, on one line."""
    parts = " ".join(text.split()).split("`")
    if len(parts) % 2 == 0:
        return _escaped("`".join(parts))
    return "`".join(part if inside % 2 else _escaped(part) for inside, part in enumerate(parts))


def _escaped(text: str) -> str:
    """`text` without markup; an underscore within a word is none, and stays readable."""
    return _MARKUP.sub(lambda found: "".join(f"\\{character}" for character in found[0]), text)
