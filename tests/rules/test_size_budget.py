"""The budget and the step that holds it: figures, places in the workflow, and what cannot be checked."""

from __future__ import annotations

import tomllib

import pytest
from asking import Asking, repository
from ruamel.yaml import YAML

from phasewise.model.census import Census
from phasewise.model.phase import Declined, Phase, Risk
from phasewise.model.repo import RepoView
from phasewise.rules.size_budget import SizeBudget

RULE = SizeBudget()
CI = ".github/workflows/ci.yml"
HEAD = (
    "on: push\njobs:\n  image:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n"
)
PUSH = "      - run: docker push app:test\n"
BUILD = "      - run: docker build -t app:test .\n"


def census(image_bytes: int = 123_456_789) -> Census:
    return Census(image_bytes=image_bytes, layers=(), file_bytes=image_bytes)


def view(workflow: str, measured: Census | None = None, stage: str | None = None, **files: str) -> RepoView:
    texts = {CI: workflow, "Dockerfile": "FROM python:3.12-slim AS app\nRUN pip install idna\n"}
    texts |= {name.replace("__", "."): text for name, text in files.items()}
    return repository(texts, measured or census(), stage=stage)


reason = Asking(RULE, view).reason


def after(seen: RepoView) -> dict[str, str]:
    answer = RULE.propose(seen, {})
    assert isinstance(answer, Phase), answer
    assert isinstance(RULE.propose(seen.with_edits(answer.edits), {}), Declined)
    return {edit.path: edit.after or "" for edit in answer.edits}


def steps(workflow: str) -> list[str]:
    found = YAML(typ="safe", pure=True).load(workflow)["jobs"]["image"]["steps"]
    return [step.get("name") or step.get("run") or step["uses"] for step in found]


def test_it_is_off_until_asked_for() -> None:
    assert SizeBudget.risk is Risk.ASK


@pytest.mark.parametrize(("measured", "budget"), [(123_456_789, 136_000_000), (1_000_000_000, 1_100_000_000)])
def test_ten_per_cent_above_what_was_measured(measured: int, budget: int) -> None:
    files = after(view(HEAD + BUILD, census(measured)))
    assert tomllib.loads(files["phasewise.toml"])["size_budget_bytes"] == {"Dockerfile": budget}


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "      - run: docker push app:test\n",
        "\n      # push it\n      - run: docker push app:test\n",
        "\n  # other\n",
    ],
)
def test_the_step_stands_behind_the_build(rest: str) -> None:
    for newline in ("\n", "\r\n"):
        text = (HEAD + BUILD + rest).replace("\n", newline)
        result = after(view(text))[CI]
        names = steps(result)
        assert names.index("Check the size of the image") == names.index("docker build -t app:test .") + 1
        assert len(names) == len(steps(text)) + 1
        kept = [line for line in result.split(newline) if line in text.split(newline)]
        assert [line for line in kept if line] == [line for line in text.split(newline) if line]
        assert "\n" not in result.replace(newline, "")


def test_a_script_that_ends_with_a_comment_is_not_torn_apart() -> None:
    script = "      - run: |\n          docker build -t app:test .\n          # done\n"
    text = f"{HEAD}{script}  # the next job\n  other:\n    steps: []\n"
    result = after(view(text))[CI]
    assert "          # done\n      - name: Check the size of the image\n" in result
    assert result.endswith("  # the next job\n  other:\n    steps: []\n")


def test_the_action_of_docker_where_it_loads_the_image() -> None:
    action = "      - uses: docker/build-push-action@v6\n        with:\n          tags: app:test\n"
    assert "inspect --format '{{.Size}}' app:test" in after(view(f"{HEAD}{action}          load: true\n"))[CI]
    assert "push it" in reason(view(f"{HEAD}{action}          push: true\n"))


@pytest.mark.parametrize(
    "build",
    [
        "docker build -t app:${{ github.sha }} .",
        "docker build -t $NAME .",
        "docker build .",
        "docker buildx build -t app:test .",
        "docker build --push -t app:test .",
        "docker build -t a . && docker build -t b .",
    ],
)
def test_images_that_no_step_can_look_at(build: str) -> None:
    assert "no step can look at it" in reason(view(f"{HEAD}      - run: {build}\n"))


def test_the_stage_is_part_of_the_name() -> None:
    build = BUILD.replace("build", "build --target app")
    files = after(view(HEAD + build, stage="app"))
    assert tomllib.loads(files["phasewise.toml"])["size_budget_bytes"].keys() == {"Dockerfile:app"}
    stages = "FROM python:3.12-slim AS app\nFROM app AS last\n"
    assert "no workflow" in reason(view(HEAD + BUILD, stage="app", Dockerfile=stages))


def test_the_last_stage_may_be_named_or_not() -> None:
    named = BUILD.replace("build", "build --target app")
    assert after(view(HEAD + named)).keys() == {CI, "phasewise.toml"}
    assert after(view(HEAD + BUILD, stage="app")).keys() == {CI, "phasewise.toml"}


def test_pyproject_keeps_what_it_has() -> None:
    text = '[project]\nname = "x"\n\n[[tool.phasewise.checks]]\nname = "a"\ncommand = ["b"]\n'
    result = after(view(HEAD + BUILD, pyproject__toml=text))["pyproject.toml"]
    assert result.startswith(text)
    assert set(tomllib.loads(result)["tool"]["phasewise"]) == {"checks", "size_budget_bytes"}


def test_a_second_target_goes_into_the_same_table() -> None:
    text = '[size_budget_bytes]\n"api/Dockerfile" = 5\n\n[[checks]]\nname = "a"\ncommand = ["b"]\n'
    result = tomllib.loads(after(view(HEAD + BUILD, phasewise__toml=text))["phasewise.toml"])
    assert result["size_budget_bytes"] == {"Dockerfile": 136_000_000, "api/Dockerfile": 5}


@pytest.mark.parametrize(
    "text", ["nonsense", "size_budget_bytes = 5\n", '[size_budget_bytes]\n"Dockerfile" = 5\n']
)
def test_settings_that_cannot_take_it(text: str) -> None:
    assert "already, or cannot be read" in reason(view(HEAD + BUILD, phasewise__toml=text))
