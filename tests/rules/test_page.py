"""Every rule has a page: well-formed Markdown that says what the rule says, with its examples as they come out."""

import re

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from phasewise.model.phase import Choice, Declined, FileEdit, Option, Phase, Prediction, Risk
from phasewise.model.repo import RepoView
from phasewise.rules.base import Example, Picks, Rule
from phasewise.rules.discovery import all_rules
from phasewise.rules.page import contents, documentation, page

RULES = [pytest.param(rule, id=rule.id) for rule in all_rules()]


def tokens(text: str) -> list[Token]:
    return [inner for token in MarkdownIt().parse(text) for inner in (token, *(token.children or ()))]


def fences(text: str) -> list[str]:
    return [token.content for token in tokens(text) if token.type == "fence"]


@pytest.mark.parametrize("rule", RULES)
def test_it_says_what_the_rule_says(rule: Rule) -> None:
    text = page(rule)
    assert text.startswith(f"# {rule.title}\n")
    assert f"`phasewise apply {rule.id}`" in text
    assert f"Risk: {rule.risk}, {rule.risk.meaning}" in text
    assert documentation(rule) in text
    assert text.endswith("\n")
    assert "\n\n\n" not in "".join(re.split(r"(?ms)^(`{3,}).*?^\1$", text))


@pytest.mark.parametrize("rule", RULES)
def test_every_example_is_on_it(rule: Rule) -> None:
    text = page(rule)
    shown = fences(text)
    assert len(shown) >= len(rule.FIRES)
    prose = "".join(token.content for token in tokens(text) if token.type in ("text", "code_inline"))
    for example in (*rule.FIRES, *rule.SILENT):
        assert example.title.replace("`", "") in prose
    for example in rule.FIRES:
        if example.after is not None and example.after != example.before and example.after.count("\n") < 25:
            assert any(after_of(diff) == example.after.rstrip("\n") for diff in shown), example.title


def after_of(diff: str) -> str:
    """The text that a diff of a whole file leads to."""
    lines = diff.rstrip("\n").split("\n")[3:]
    return "\n".join(line[1:] for line in lines if line[:1] in (" ", "+"))


@pytest.mark.parametrize("rule", RULES)
def test_nothing_on_it_is_taken_for_markup(rule: Rule) -> None:
    assert not {"html_inline", "html_block", "link_open", "image", "code_block"} & {
        token.type for token in tokens(page(rule))
    }


@pytest.mark.parametrize("rule", RULES)
def test_figures_come_from_the_docstring_alone(rule: Rule) -> None:
    text = page(rule).replace(documentation(rule), "").partition("## Stays silent when")[0]
    for fence in fences(text):
        text = text.replace(fence, "")
    assert re.findall(r"\d\s?(?:[kMG]B|%)", text) == []


@pytest.mark.parametrize("rule", RULES)
def test_it_says_what_other_linters_call_the_same(rule: Rule) -> None:
    assert re.search(r"hadolint|\bDL\d{4}\b", documentation(rule))
    assert "BuildKit" in documentation(rule)


def test_the_list_has_a_line_for_each() -> None:
    lines = contents(all_rules()).splitlines()
    assert [line.split()[0] for line in lines] == [rule.id for rule in all_rules()]
    assert all(line.endswith(rule.title) for line, rule in zip(lines, all_rules(), strict=True))


class Sample(Rule):
    """Replaces `FROM a`. hadolint and BuildKit have no such rule."""

    title = "A sample"
    risk = Risk.ASK
    order = 7
    FIRES = (
        Example("FROM a\nRUN echo '```'\n", title="of __a__ and <b>"),
        Example("FROM a\n" + "RUN true\n" * 100, title="long", files={"notes": "".join("a\n" * 20)}),
    )
    SILENT = (Example("FROM b\n", title="done"), Example("FROM c\n", title="another"))

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        before = view.dockerfile.text
        if "FROM a" not in before:
            return self.declined("it is *not* `a_`")
        choice = Choice("how", "How", (Option("well", "as __well__ as can be"),), frozenset({"well"}))
        edit = FileEdit("Dockerfile", before, before.replace("FROM a", "FROM b"))
        predicted = Prediction(-4_000_000, "4 MB of the census")
        return Phase(
            self.id, self.title, "4 MB", (edit,), (), self.risk, predicted, (choice,), ("one",), ("other",)
        )


def test_what_a_page_is_made_of() -> None:
    text = page(Sample())
    assert "- Risk: ask, changes what the image can do" in text
    assert "- Place in the plan: 7; smaller comes earlier" in text
    assert "- Needs: `one`\n- Excludes: `other`\n" in text
    assert "How: `--pick test_page.how=`, one of\n\n- `well`: as \\_\\_well\\_\\_ as can be" in text
    assert "### of \\_\\_a\\_\\_ and \\<b\\>\n\n````diff\n" in text
    assert "- it is \\*not\\* `a_`\n  - done\n  - another\n" in text
    assert "MB" not in text


def test_a_long_file_is_cut_and_says_so() -> None:
    first, second = fences(page(Sample()))
    assert first.endswith("-FROM a\n+FROM b\n RUN echo '```'\n")
    assert second.count("\n") == 60
    assert "\n45 more lines follow.\n" in page(Sample())
