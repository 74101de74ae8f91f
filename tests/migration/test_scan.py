import gc
from pathlib import Path
from weakref import ref

import pytest
from git_sandbox import DOCKERFILE, Sandbox

from phasewise.migration import scan
from phasewise.model.dockerfile import DockerfileError
from phasewise.model.repo import Purpose, Target

STAGES = "FROM a AS base\nFROM base AS production\nFROM base AS dev\n"


def targets(sandbox: Sandbox) -> tuple[Target, ...]:
    repository = sandbox.open()
    return scan.scan(repository, repository.head())


def dockerfiles(sandbox: Sandbox) -> list[str]:
    return [target.dockerfile for target in targets(sandbox)]


def build(sandbox: Sandbox, name: str, *commands: str) -> None:
    steps = "".join(f"      - run: {command}\n" for command in commands)
    sandbox.write(f".github/workflows/{name}.yml", f"jobs:\n  {name}:\n    steps:\n{steps}")


@pytest.fixture
def empty(tmp_path: Path) -> Sandbox:
    return Sandbox.create(tmp_path / "repo")


@pytest.mark.parametrize(
    "path",
    [
        "Dockerfile", "Dockerfile.gpu", "api.Dockerfile", "docker/api.dockerfile", "Containerfile", "Containerfile.x",
        "dockerfile", "-n.Dockerfile", "deep/er/Dockerfile", "Dockerfile-worker", "image/build-me", "ü/Dockerfile",
    ],
)  # fmt: skip
def test_found(empty: Sandbox, path: str) -> None:
    empty.write(path, "# syntax=x\n\nARG V=1\nFROM python:${V}\n")
    empty.commit()
    assert dockerfiles(empty) == [path]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("Dockerfile.dockerignore", "FROM x\n"),
        (".dockerignore", "FROM x\n"),
        ("Dockerfile.md", "FROM x\n"),
        ("Dockerfile.j2", "FROM {{ x }}\n"),
        ("Dockerfile.gpu", "not one\n"),
        ("node_modules/x/Dockerfile", "FROM x\n"),
        ("vendor/x/Dockerfile", "FROM x\n"),
        ("LICENSE", "FROM x\n"),
        ("notes", "From here on, nothing.\n"),
        ("script", "#!/bin/sh\nFROM x\necho\nRUN\n"[:10] + "\necho hello\n"),
        ("binary", "FROM x\n\0"),
        ("code.py", "FROM x\n"),
    ],
)
def test_not_found(empty: Sandbox, path: str, text: str) -> None:
    empty.write(path, text)
    empty.git("add", "--force", "--all")
    empty.git("commit", "--quiet", "--message", "x")
    assert dockerfiles(empty) == []


def test_untracked_and_linked_ones_are_not_there(sandbox: Sandbox) -> None:
    (sandbox.root / "Dockerfile.link").symlink_to("Dockerfile")
    sandbox.commit()
    sandbox.write("api/Dockerfile", DOCKERFILE)
    assert dockerfiles(sandbox) == ["Dockerfile"]


def test_what_a_workflow_builds_is_one_whatever_its_name(sandbox: Sandbox) -> None:
    sandbox.write("docker/service.txt", DOCKERFILE)
    build(sandbox, "ci", "docker build -f docker/service.txt .")
    sandbox.commit()
    assert set(dockerfiles(sandbox)) == {"Dockerfile", "docker/service.txt"}


def test_one_that_does_not_parse_is_a_target(sandbox: Sandbox) -> None:
    sandbox.commit(Dockerfile="RUN before any FROM\n")
    repository = sandbox.open()
    (target,) = scan.scan(repository, repository.head())
    with pytest.raises(DockerfileError):
        scan.view(repository, repository.head(), target).dockerfile  # noqa: B018 - asked for its error


def test_the_scan_is_of_the_commit_not_of_the_work_tree(sandbox: Sandbox) -> None:
    first = sandbox.head()
    sandbox.commit(api__Dockerfile=DOCKERFILE)
    sandbox.git("rm", "--quiet", "--cached", "Dockerfile")
    repository = sandbox.open()
    assert [target.dockerfile for target in scan.scan(repository, first)] == ["Dockerfile"]
    assert len(scan.scan(repository, repository.head())) == 2


class TestOrder:
    def test_what_is_deployed_comes_first(self, sandbox: Sandbox) -> None:
        for path in ("Dockerfile.ci", "a/Dockerfile", "b/Dockerfile", "docs/Dockerfile"):
            sandbox.write(path, DOCKERFILE)
        build(sandbox, "ci", *["docker build -f Dockerfile.ci ."] * 3, "docker build b")
        build(sandbox, "release", "docker build a && docker push a")
        sandbox.commit()
        assert dockerfiles(sandbox) == [
            "a/Dockerfile",
            "b/Dockerfile",
            "Dockerfile",
            "Dockerfile.ci",
            "docs/Dockerfile",
        ]

    def test_python_before_others(self, sandbox: Sandbox) -> None:
        sandbox.commit(**{"Dockerfile": "FROM node\n", "service/Dockerfile": DOCKERFILE})
        assert dockerfiles(sandbox) == ["service/Dockerfile", "Dockerfile"]


class TestContext:
    def of(self, sandbox: Sandbox, dockerfile: str) -> str:
        sandbox.commit()
        return next(target.context for target in targets(sandbox) if target.dockerfile == dockerfile)

    def test_as_it_is_deployed(self, sandbox: Sandbox) -> None:
        sandbox.write("api/Dockerfile", "FROM x\nCOPY app .\n")
        sandbox.write("api/app", "")
        build(sandbox, "test", "docker build api", "docker build api")
        build(sandbox, "deploy", "docker build -f api/Dockerfile . && docker push x")
        assert self.of(sandbox, "api/Dockerfile") == "."

    @pytest.mark.parametrize(
        ("files", "copied", "context"),
        [
            (["api/app/x"], "app", "api"),
            (["app/x"], "app", "."),
            (["api/app/x", "app/x"], "app", "api"),
            (["api/requirements.txt"], "api/requirements.txt", "."),
            (["api/requirements.txt", "shared/x"], "api/requirements.txt shared", "."),
            (["requirements-a.txt"], "requirements-*.txt", "."),
            ([], ".", "api"),
            ([], "missing", "api"),
            (["app/x"], "--from=base app", "api"),
            (["app/x"], "$UNKNOWN", "api"),
            (["app/x"], "https://example.com/app", "api"),
        ],
    )
    def test_guessed_from_what_is_copied(
        self, empty: Sandbox, files: list[str], copied: str, context: str
    ) -> None:
        for path in files:
            empty.write(path, "x")
        empty.write("api/Dockerfile", f"FROM x AS base\nFROM x\nCOPY {copied} ./\n")
        assert self.of(empty, "api/Dockerfile") == context

    def test_a_folder_in_between(self, empty: Sandbox) -> None:
        empty.write("services/api/app/x", "")
        empty.write("services/api/docker/Dockerfile", "FROM x\nCOPY app .\n")
        assert self.of(empty, "services/api/docker/Dockerfile") == "services/api"


class TestStage:
    def of(self, sandbox: Sandbox, *commands: str, text: str = STAGES) -> Target:
        build(sandbox, "release", *commands)
        sandbox.commit(Dockerfile=text)
        return targets(sandbox)[0]

    def test_what_is_deployed(self, sandbox: Sandbox) -> None:
        assert self.of(sandbox, "docker build --target production . && docker push x").stage == "production"

    @pytest.mark.parametrize(
        "commands",
        [
            ["docker build . && docker push x"],
            ["docker build --target dev . && docker push x"],
            ["docker build --target gone . && docker push x"],
            ["docker build --target production .; docker build --target base .; docker push x"],
            [],
        ],
    )
    def test_the_last_one_otherwise(self, sandbox: Sandbox, commands: list[str]) -> None:
        assert self.of(sandbox, *commands).stage is None

    def test_arguments_that_all_give(self, sandbox: Sandbox) -> None:
        first, second = (f"docker build --build-arg A=1 --build-arg B={b} ." for b in (1, 2))
        assert self.of(sandbox, f"{first} && {second} && docker push x").arguments == (("A", "1"),)


def test_the_view(sandbox: Sandbox) -> None:
    sandbox.write("requirements.txt", "numpy\n")
    build(sandbox, "test", "docker build .")
    sandbox.commit("more")
    repository = sandbox.open()
    (target,) = scan.scan(repository, repository.head())
    view = scan.view(repository, repository.head(), target)
    assert view.files["requirements.txt"] == "numpy\n"
    assert view.paths == {"Dockerfile", "requirements.txt", ".github/workflows/test.yml"}
    assert [build.purpose for build in view.builds_of("Dockerfile")] == [Purpose.TEST]
    evidence = view.evidence("Dockerfile", 3)
    assert evidence.text == "RUN python -m compileall ."
    assert evidence.provenance
    assert evidence.provenance.subject == "start"
    assert view.stage.index == 0
    assert scan.builds(repository, repository.head()) == view.builds


def test_a_repository_that_nobody_needs_any_more_is_let_go(sandbox: Sandbox) -> None:
    repository = sandbox.open()
    assert scan.view(repository, repository.head(), scan.scan(repository, "HEAD")[0]).sizes
    left = ref(repository)
    del repository
    gc.collect()
    assert left() is None
