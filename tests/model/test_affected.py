"""Which targets a file belongs to: built by it, copied, mounted, or told by it what to leave out."""

import pytest

from phasewise.model.builds.affected import affected, reaching, reads
from phasewise.model.phase import FileEdit, Phase, Risk
from phasewise.model.repo import BuildReference, Purpose, RepoView, Target

API, WORKER, WEB = Target("api/Dockerfile"), Target("worker/Dockerfile"), Target("web/Dockerfile", "web")
WORKFLOW = ".github/workflows/ci.yml"
FILES = {
    "api/Dockerfile": "FROM a\nCOPY requirements.txt .\n",
    "worker/Dockerfile": "FROM a AS b\nCOPY requirements*.txt /r/\nFROM b\nCOPY --from=b /r /r\nCOPY worker /w\n",
    "web/Dockerfile": "FROM a\nRUN --mount=type=bind,source=package.json,target=/p true\nCOPY . .\n",
    "requirements.txt": "torch\n",
    "requirements-dev.txt": "",
    "worker/main.py": "",
    "web/package.json": "",
    "web/index.html": "",
    "web/.dockerignore": "*.html\n",
    ".dockerignore": "",
    WORKFLOW: "",
}


def build(dockerfile: str) -> BuildReference:
    return BuildReference(WORKFLOW, 1, "", dockerfile, ".", None, Purpose.TEST, "")


VIEW = RepoView(API, FILES, frozenset(FILES), (build("worker/Dockerfile"), build("api/Dockerfile")))


def labels(*paths: str, view: RepoView = VIEW) -> list[str]:
    return [target.label for target in affected(view, (API, WORKER, WEB), paths)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("requirements.txt", ["worker/Dockerfile"]),
        ("requirements-dev.txt", ["worker/Dockerfile"]),
        ("worker/main.py", ["worker/Dockerfile"]),
        (WORKFLOW, ["worker/Dockerfile"]),
        (".dockerignore", ["worker/Dockerfile"]),
        ("web/.dockerignore", ["web/Dockerfile"]),
        ("web/package.json", ["web/Dockerfile"]),
        ("web/index.html", []),
        ("web/ci/Dockerfile", []),
        ("api/Dockerfile", []),
        ("nowhere.txt", []),
    ],
)
def test_who_reads_a_file(path: str, expected: list[str]) -> None:
    assert labels(path) == expected


def test_the_ignore_file_of_a_dockerfile_replaces_the_context_s() -> None:
    files = {**FILES, "worker/Dockerfile.dockerignore": ""}
    view = RepoView(API, files, frozenset(files))
    assert labels(".dockerignore", view=view) == []
    assert labels("worker/Dockerfile.dockerignore", view=view) == ["worker/Dockerfile"]


def test_mounts_count_and_other_stages_do_not() -> None:
    mounts = "RUN --mount=target=/s,source=m true\nRUN --mount=from=b,source=n true\n"
    text = f"FROM a AS unused\nCOPY x.txt .\nFROM a\n{mounts}"
    view = RepoView(API, {"api/Dockerfile": text}, frozenset())
    assert [path for path in ("x.txt", "m/y.txt", "n/y.txt") if reads(view, path)] == ["m/y.txt"]


def test_a_dockerfile_that_does_not_parse_reads_nothing() -> None:
    view = RepoView(API, {**FILES, "worker/Dockerfile": "RUN x\n"}, frozenset())
    assert labels("requirements.txt", view=view) == []


def test_what_others_do_reaches_a_target_by_the_files_that_it_reads() -> None:
    def phase(id: str, *paths: str) -> Phase:
        return Phase(id, "title", "why", tuple(FileEdit(path, "a", "b") for path in paths), (), Risk.SAFE)

    pins, own = phase("pins", "worker/Dockerfile", "requirements.txt"), phase("own", "worker/Dockerfile")
    found = reaching(VIEW, [(WORKER, [pins, own]), (WEB, [phase("page", "web/package.json")]), (API, [pins])])
    assert [(one.target, one.phase.id, one.paths) for one in found] == [
        (WORKER, "pins", ("requirements.txt",))
    ]
    assert [edit.path for edit in found[0].edits] == ["requirements.txt"]
