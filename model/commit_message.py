"""The messages of phase commits and their reverts: written for people, with trailers that are read back."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from urllib.parse import unquote_to_bytes

from msgspec import Struct, field

from phasewise.model.hunks import LeftOut
from phasewise.model.phase import Evidence, Phase, Provenance
from phasewise.model.repo import Target
from phasewise.model.text import decode, encode

SUBJECT_LENGTH = 72
_REVERTED = re.compile(r"^This reverts commit ([0-9a-f]{40,64})\b", re.MULTILINE)
_TRAILER = re.compile(r"^Phasewise-(\w+): *(.*?)\s*$", re.MULTILINE)
_MOST_EVIDENCE = 3


class Marks(Struct, frozen=True):
    """What a commit's message says about phases."""

    phase: str = ""
    """The id of the phase that the commit applies; '' for none."""
    rollback: str = ""
    """The id of the phase that the commit takes back; '' for none."""
    dockerfile: str = ""
    stage: str | None = None
    picks: Mapping[str, frozenset[str]] = field(default_factory=dict)
    reverts: tuple[str, ...] = ()
    """The commits that it reverts, by phasewise or with `git revert`."""
    left_out: LeftOut = field(default_factory=dict)

    def is_of(self, target: Target) -> bool:
        """Whether the trailers name that target."""
        return self.dockerfile == target.dockerfile and self.stage == target.stage


def message(
    phase: Phase, target: Target, picks: Mapping[str, frozenset[str]], left_out: LeftOut | None = None
) -> str:
    """The message of the commit that applies `phase`, without what was left out of it."""
    paragraphs = [
        shortened(phase.title),
        *(_wrapped(paragraph) for paragraph in phase.why.split("\n\n") if paragraph.strip()),
    ]
    if phase.costs:
        paragraphs.append(_wrapped(f"Cost: {phase.costs}"))
    origins = list(_origins(phase.evidence))
    if origins:
        paragraphs.append("\n".join(_wrapped(origin) for origin in origins[:_MOST_EVIDENCE]))
    trailers = [
        *_target_trailers("Phase", phase.id, target),
        *(f"Phasewise-Pick: {_picked(choice, picks[choice])}" for choice in sorted(picks)),
        *(f"Phasewise-Without: {_picked(*item).rstrip('=')}" for item in sorted((left_out or {}).items())),
    ]
    body = re.sub("^Phasewise-", " Phasewise-", "\n\n".join(paragraphs), flags=re.MULTILINE)
    return f"{body}\n\n" + "\n".join(trailers) + "\n"


def rollback_message(id: str, subject: str, commit: str, target: Target) -> str:
    """The message of the commit that takes the phase `id`, made by `commit`, back."""
    title = shortened(subject, SUBJECT_LENGTH - len('Revert ""'))
    trailers = "\n".join(_target_trailers("Rollback", id, target))
    return f'Revert "{title}"\n\nThis reverts commit {commit}.\n\n{trailers}\n'


def may_tell(message: str) -> bool:
    """Whether `read` can find anything; a quick look, for long histories."""
    return "Phasewise-" in message or "This reverts commit" in message


def read(message: str) -> Marks:
    """What `message` says.

    A message with the trailers of several phases is a squash of their commits: no single phase can be
    taken back from it, and it counts as none.
    """
    reverts = tuple(_REVERTED.findall(message))
    trailers = _TRAILER.findall(message)
    first = {name: _unescaped(value) for name, value in reversed(trailers)}
    phases = [name for name, _ in trailers if name in ("Phase", "Rollback")]
    if len(phases) != 1:
        return Marks(reverts=reverts)
    picks = dict(_pick(value) for name, value in trailers if name == "Pick" and "=" in value)
    left_out = dict(_pick(value) for name, value in trailers if name == "Without")
    return Marks(
        phase=first.get("Phase", ""),
        rollback=first.get("Rollback", ""),
        dockerfile=first.get("Dockerfile", ""),
        stage=first.get("Stage"),
        picks=picks,
        left_out=left_out,
        reverts=reverts,
    )


def shortened(title: str, length: int = SUBJECT_LENGTH) -> str:
    """The title as one line of at most `length` characters, cut between words where it must be cut."""
    line = " ".join(_printable(title).split()) or "Change the Dockerfile"
    if len(line) > length and " " not in line[: length - 3]:
        return line[:length]
    return line if len(line) <= length else textwrap.shorten(line, length, placeholder=" ...")


def _target_trailers(name: str, id: str, target: Target) -> list[str]:
    stage = [] if target.stage is None else [f"Phasewise-Stage: {_escaped(target.stage)}"]
    return [
        f"Phasewise-{name}: {_escaped(id)}",
        f"Phasewise-Dockerfile: {_escaped(target.dockerfile)}",
        *stage,
    ]


def _picked(choice: str, options: frozenset[str]) -> str:
    return f"{_escaped(choice, ',=')}={','.join(_escaped(option, ',=') for option in sorted(options))}"


def _pick(value: str) -> tuple[str, frozenset[str]]:
    choice, _, options = value.partition("=")
    return _unescaped(choice), frozenset(_unescaped(option) for option in options.split(",") if option)


def _origins(evidence: tuple[Evidence, ...]) -> Iterator[str]:
    """One line for each commit that brought evidence in."""
    seen: set[str] = set()
    for item in evidence:
        origin = item.provenance
        if origin is not None and origin.commit not in seen:
            seen.add(origin.commit)
            yield f"{_printable(item.path)}:{item.line} came in with {_described(origin)}."


def _described(origin: Provenance) -> str:
    elsewhere = ", not on the default branch" if origin.on_default_branch is False else ""
    return f'{origin.commit[:12]} ("{_printable(origin.subject)}", {origin.date:%Y-%m-%d}{elsewhere})'


def _wrapped(paragraph: str) -> str:
    return textwrap.fill(
        " ".join(_printable(paragraph).split()), 72, break_long_words=False, break_on_hyphens=False
    )


def _printable(text: str) -> str:
    """Without control characters, which a terminal would obey, and with line breaks as spaces."""
    return "".join(character if character.isprintable() else " " for character in text)


def _escaped(value: str, also: str = "") -> str:
    """The value on one line, whatever it holds: what could be misread is percent-encoded."""
    spaced = value != value.strip()
    return "".join(
        character
        if character.isprintable() and character not in f"%{also}" and not (spaced and character == " ")
        else "".join(f"%{byte:02X}" for byte in encode(character))
        for character in value
    )


def _unescaped(value: str) -> str:
    return decode(unquote_to_bytes(encode(value)))
