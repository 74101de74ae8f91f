"""A repository with several Dockerfiles: which one was taken is said, and an unclear change is refused."""

import pytest
from calling import Phasewise
from git_sandbox import DOCKERFILE, Sandbox

PHASE = "drop_compileall"
PLAIN = "FROM python:3.12\nRUN pip install x\n"


@pytest.fixture
def two(sandbox: Sandbox) -> Sandbox:
    """The one at the top, which comes first, and another with the same phase."""
    sandbox.commit(api__Dockerfile=DOCKERFILE)
    return sandbox


@pytest.mark.parametrize("verb", [["status"], ["report"], ["status", "--json"]])
def test_what_was_taken_is_said(two: Sandbox, phasewise: Phasewise, verb: list[str]) -> None:
    called = phasewise(*verb, two.root)
    assert called.status == 0
    assert "Dockerfile is taken; --dockerfile PATH chooses another one: api/Dockerfile" in called.stderr
    assert "is taken" not in phasewise(*verb, two.root, "--dockerfile", "api/Dockerfile").stderr


def test_with_one_dockerfile_nothing_is_said(sandbox: Sandbox, phasewise: Phasewise) -> None:
    assert "is taken" not in phasewise("status", sandbox.root).stderr


def test_a_phase_of_several_is_refused(two: Sandbox, phasewise: Phasewise) -> None:
    head = two.head()
    called = phasewise("apply", PHASE, "-C", two.root)
    assert called.status == 2
    assert "any of Dockerfile, api/Dockerfile" in called.stderr
    assert "--dockerfile PATH" in called.stderr
    assert two.head() == head


def test_a_phase_of_one_of_them_is_applied_there(sandbox: Sandbox, phasewise: Phasewise) -> None:
    sandbox.commit(Dockerfile=PLAIN, api__Dockerfile=DOCKERFILE)
    called = phasewise("apply", PHASE, "-C", sandbox.root)
    assert called.status == 0, called.stderr
    assert "api/Dockerfile is taken" in called.stderr
    assert sandbox.files_of("HEAD") == ["api/Dockerfile"]


def test_a_variant_for_tests_gives_way(sandbox: Sandbox, phasewise: Phasewise) -> None:
    sandbox.commit(**{"Dockerfile.ci": DOCKERFILE})
    called = phasewise("apply", PHASE, "-C", sandbox.root)
    assert called.status == 0, called.stderr
    assert sandbox.files_of("HEAD") == ["Dockerfile"]


def test_a_rollback_finds_where_it_is_applied(two: Sandbox, phasewise: Phasewise) -> None:
    assert phasewise("apply", PHASE, "-C", two.root, "--dockerfile", "api/Dockerfile").status == 0
    called = phasewise("rollback", PHASE, "-C", two.root, "--no-measure")
    assert called.status == 0, called.stderr
    assert "api/Dockerfile is taken" in called.stderr
    assert two.text("api/Dockerfile") == DOCKERFILE


@pytest.mark.parametrize("words", [[PHASE], ["--all"]])
def test_a_rollback_of_several_is_refused(two: Sandbox, phasewise: Phasewise, words: list[str]) -> None:
    for path in ("Dockerfile", "api/Dockerfile"):
        assert phasewise("apply", PHASE, "-C", two.root, "--dockerfile", path).status == 0
    head = two.head()
    assert phasewise("rollback", *words, "-C", two.root, "--no-measure").status == 2
    assert two.head() == head
