"""Every rule's own examples: FIRES gives exactly the text it promises, SILENT gives none."""

import dockerfile as buildkit
import pytest
from msgspec.structs import replace

from phasewise.model.dockerfile import Dockerfile
from phasewise.model.phase import Declined, Phase
from phasewise.rules.base import Example, Rule
from phasewise.rules.discovery import all_rules

FIRES = [pytest.param(r, e, id=f"{r.id}-{e.title or n}") for r in all_rules() for n, e in enumerate(r.FIRES)]
SILENT = [
    pytest.param(r, e, id=f"{r.id}-{e.title or n}") for r in all_rules() for n, e in enumerate(r.SILENT)
]


@pytest.mark.parametrize(("rule", "example"), FIRES)
def test_fires(rule: Rule, example: Example) -> None:
    phase = rule.propose(example.view(), example.picks)
    assert isinstance(phase, Phase), phase
    after = {edit.path: edit.after for edit in phase.edits}
    if example.after is not None:
        assert after.get("Dockerfile", example.before) == example.after
    for path, text in example.files_after.items():
        assert after[path] == text


@pytest.mark.parametrize(("rule", "example"), FIRES)
def test_result_parses_and_is_final(rule: Rule, example: Example) -> None:
    view = example.view()
    phase = rule.propose(view, example.picks)
    assert isinstance(phase, Phase)
    after = view.with_edits(phase.edits)
    text = after.files["Dockerfile"]
    ours = [(i.keyword, i.line) for i in Dockerfile.parse(text, "Dockerfile").instructions]
    assert ours == [(command.cmd.upper(), command.start_line) for command in buildkit.parse_string(text)]
    assert isinstance(rule.propose(after, {}), Declined)


@pytest.mark.parametrize(("rule", "example"), FIRES)
def test_line_endings_are_kept(rule: Rule, example: Example) -> None:
    windows = replace(example, before=example.before.replace("\n", "\r\n"))
    texts = []
    for each in (windows, example):
        view = each.view()
        phase = rule.propose(view, each.picks)
        assert isinstance(phase, Phase)
        texts.append(view.with_edits(phase.edits).files["Dockerfile"])
    assert texts[0] == texts[1].replace("\n", "\r\n")


@pytest.mark.parametrize(("rule", "example"), FIRES)
def test_shows_evidence_and_reason(rule: Rule, example: Example) -> None:
    phase = rule.propose(example.view(), example.picks)
    assert isinstance(phase, Phase)
    assert phase.evidence
    assert phase.why
    assert phase.id == rule.id


@pytest.mark.parametrize(("rule", "example"), SILENT)
def test_stays_silent(rule: Rule, example: Example) -> None:
    answer = rule.propose(example.view(), example.picks)
    assert isinstance(answer, Declined)
    assert answer.reason


def test_every_rule_has_both_kinds_of_example() -> None:
    assert all_rules()
    for rule in all_rules():
        assert rule.FIRES, rule.id
        assert rule.SILENT, rule.id
        assert type(rule).__doc__, rule.id
