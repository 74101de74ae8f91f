"""Why a phase is proposed: the reason, who brought the problem in, the risk and the price."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from phasewise.migration import sentences
from phasewise.model.elsewhere import Elsewhere
from phasewise.model.phase import Declined, Evidence, Phase, Provenance, Risk
from phasewise.model.status import Row
from phasewise.tui import text

_RISKS = {Risk.SAFE: "$text-success", Risk.CHECK: "$text-warning", Risk.ASK: "bold $text-warning"}
_LABEL_CELLS = 9


def lines(row: Row, cells: int, others: Iterable[Elsewhere] = ()) -> list[Content]:
    """The reasons for a row, wrapped to `cells`; `others` are the phases of other targets that reach this one."""
    phase = row.phase
    if phase is None:
        return [
            text.own(("The commit is there, but what it was proposed for is not known here.", "italic dim"))
        ]
    result = [*text.wrapped(text.plain(phase.title, "bold"), cells), Content("")]
    result += _refusal(row, cells)
    for paragraph in phase.why.split("\n\n"):
        result += [*text.wrapped(text.plain(" ".join(paragraph.split())), cells), Content("")]
    result += _since(phase, cells)
    risk = text.own((str(phase.risk), _RISKS[phase.risk]), (f"  {phase.risk.meaning}", "dim"))
    result += _labelled("Risk", risk, cells)
    result += _labelled("Costs", text.plain(phase.costs), cells) if phase.costs else []
    result += (
        _labelled("Affects", text.plain(f"also {', '.join(phase.affects)}"), cells) if phase.affects else []
    )
    for other in others:
        if also := [path for path in phase.files if path in other.paths]:
            said = f"{other.phase.id} of {other.target.label} edits {', '.join(also)} too"
            result += _labelled("Shared", text.plain(text.one_line(said)), cells)
    result += _labelled("Needs", text.plain(", ".join(phase.needs) or "none"), cells)
    result += _labelled("Excludes", text.plain(", ".join(phase.excludes) or "none"), cells)
    for finding in sentences.findings(row):
        result += _labelled("Measured", text.plain(finding, "bold"), cells)
    if phase.predicted.because:
        result += _labelled("Figure", text.plain(phase.predicted.because, "italic"), cells)
    more = text.own(("p", "bold $text-accent"), ("  reads the rule's page", "dim"))
    return [*result, Content(""), more]


def declined_lines(declined: Iterable[Declined], cells: int) -> list[Content]:
    """What is not proposed, each with its reason and the lines that it rests on."""
    result: list[Content] = []
    for refusal in declined:
        result += text.wrapped(text.own(("– ", "dim"), (refusal.id, "bold")), cells)
        result += text.wrapped(text.plain(refusal.reason), cells, 2)
        for evidence in refusal.evidence:
            result += [line for part in _evidence(evidence, cells) for line in part]
        result.append(Content(""))
    return result or [text.own(("Every rule has something to propose here.", "italic dim"))]


def provenance(origin: Provenance) -> Content:
    """`46782a0 "subject" 2025-11-11 by author, not on the default branch`."""
    where = {True: "also on the default branch", False: "not on the default branch", None: ""}[
        origin.on_default_branch
    ]
    return text.own(
        (origin.commit[:7], "$text-accent"),
        f" “{text.one_line(origin.subject)}” ",
        (f"{origin.date:%Y-%m-%d} by {text.one_line(origin.author)}", "dim"),
        (f", {where}" if where else "", "$text-warning" if origin.on_default_branch is False else "dim"),
    )


def _refusal(row: Row, cells: int) -> list[Content]:
    if not row.refusal:
        return []
    return [*text.wrapped(text.own(("Not now: ", "bold $text-warning"), row.refusal), cells), Content("")]


def _since(phase: Phase, cells: int) -> list[Content]:
    """The evidence line by line, each commit named once."""
    result: list[Content] = []
    known: Provenance | None = None
    for evidence in phase.evidence:
        if evidence.provenance and evidence.provenance != known:
            known = evidence.provenance
            result += _labelled("Since", provenance(known), cells)
        result += _evidence(evidence, cells)[0]
    return [*result, Content("")] if result else []


def _evidence(evidence: Evidence, cells: int) -> tuple[list[Content], list[Content]]:
    """The line itself, and where it came from."""
    here = text.wrapped(
        text.own(
            (f"{evidence.path}:{evidence.line}  ", "dim"),
            (text.one_line(evidence.text.strip()), "$text-primary"),
        ),
        cells,
        _LABEL_CELLS,
    )
    return here, text.wrapped(
        provenance(evidence.provenance), cells, _LABEL_CELLS
    ) if evidence.provenance else []


def _labelled(label: str, content: Content, cells: int) -> list[Content]:
    """A label in a column of its own, the content beside it."""
    body = text.wrapped(content, cells, _LABEL_CELLS)
    first = Content.styled(label.ljust(_LABEL_CELLS), "bold $text-accent") + body[0][_LABEL_CELLS:]
    return [first, *body[1:]]
