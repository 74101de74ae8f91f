"""A workflow step, a compose service, a job or a script builds another Dockerfile; the rest stays."""

import difflib

import pytest

from phasewise.model.builds.build_redirect import redirected, with_step
from phasewise.model.builds.references import build_references
from phasewise.model.builds.yaml_edit import YamlRefusal, load
from phasewise.model.repo import BuildReference, Purpose

NAME = "Dockerfile.ci"


def references(path: str, text: str, dockerfile: str = "api/Dockerfile") -> list[BuildReference]:
    """What the repository's own reading finds."""
    files = {path: text, **dict.fromkeys(("api/Dockerfile", "web/Dockerfile", "Dockerfile"), "FROM x\n")}
    return [each for each in build_references(files, files) if each.dockerfile == dockerfile]


def change(path: str, text: str, dockerfile: str = "api/Dockerfile") -> list[str]:
    """The lines that differ when its first build of `dockerfile` is redirected, as `-` and `+` lines."""
    build = references(path, text, dockerfile)[0]
    result = redirected(text, build, NAME)
    lines = list(difflib.unified_diff(text.split("\n"), result.split("\n"), lineterm="", n=0))[2:]
    return [line for line in lines if not line.startswith("@@")]


def workflow(step: str, job: str = "") -> str:
    return f"on: push\njobs:\n  t:\n{job}    steps:\n{step}"


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (
            "      - run: docker build -t x ./api   # why\n",
            [
                "-      - run: docker build -t x ./api   # why",
                "+      - run: docker build -f api/Dockerfile.ci -t x ./api   # why",
            ],
        ),
        (
            "      - run: |\n          docker build web\n          docker build -t api \\\n"
            "            api/ 2>&1 | tee log\n          docker build .\n",
            ["-          docker build -t api \\", "+          docker build -f api/Dockerfile.ci -t api \\"],
        ),
        (
            "      - run: docker buildx build --load --file=api/Dockerfile .\n",
            [
                "-      - run: docker buildx build --load --file=api/Dockerfile .",
                "+      - run: docker buildx build --load --file=api/Dockerfile.ci .",
            ],
        ),
        (
            "      - run: 'docker build -f \"./api/Dockerfile\" .'\n",
            [
                "-      - run: 'docker build -f \"./api/Dockerfile\" .'",
                "+      - run: 'docker build -f \"api/Dockerfile.ci\" .'",
            ],
        ),
        (
            "      - run: docker build .\n        working-directory: api\n",
            ["-      - run: docker build .", "+      - run: docker build -f Dockerfile.ci ."],
        ),
        (
            "      - uses: docker/build-push-action@v6\n        with:\n"
            "          context: ./api  # c\n          push: false\n",
            ["+          file: api/Dockerfile.ci"],
        ),
        (
            "      - uses: docker/build-push-action@v6\n        with:\n          push: false\n"
            "          file: 'api/Dockerfile' # f\n          context: .\n",
            ["-          file: 'api/Dockerfile' # f", "+          file: 'api/Dockerfile.ci' # f"],
        ),
        (
            "      - uses: docker/build-push-action@v6\n        with: {context: api, push: false}\n",
            [
                "-        with: {context: api, push: false}",
                "+        with: {context: api, file: api/Dockerfile.ci, push: false}",
            ],
        ),
    ],
)
def test_a_step(step: str, expected: list[str]) -> None:
    lines = change(".github/workflows/w.yml", workflow(step))
    assert lines == expected


def test_an_action_without_inputs() -> None:
    text = workflow(
        "      - uses: actions/checkout@v4\n      - uses: docker/build-push-action@v6\n      - run: x\n"
    )
    build = BuildReference(
        ".github/workflows/w.yml", 6, "", "Dockerfile", ".", None, Purpose.TEST, "jobs.t.steps[1]"
    )
    assert load(redirected(text, build, NAME))["jobs"]["t"]["steps"][1] == {
        "uses": "docker/build-push-action@v6",
        "with": {"file": NAME},
    }


MATRIX = "    strategy:\n      matrix:\n        service: [web, api]   # both\n"


def test_one_value_of_a_matrix() -> None:
    text = workflow("      - run: docker build -t ${{ matrix.service }} ./${{ matrix.service }}\n", MATRIX)
    assert change(".github/workflows/w.yml", text) == [
        "+        include:",
        "+          - service: api",
        "+            dockerfile: Dockerfile.ci",
        "-      - run: docker build -t ${{ matrix.service }} ./${{ matrix.service }}",
        "+      - run: docker build -f ${{ matrix.service }}/${{ matrix.dockerfile || 'Dockerfile' }}"
        " -t ${{ matrix.service }} ./${{ matrix.service }}",
    ]


def test_the_result_of_a_matrix_is_read_as_meant() -> None:
    """Read again as a workflow, the two values build what they should."""
    path = ".github/workflows/w.yml"
    for step in (
        "      - run: docker build -t ${{ matrix.service }} ./${{ matrix.service }}\n",
        "      - uses: docker/build-push-action@v6\n        with:\n          context: ${{ matrix.service }}\n",
    ):
        text = workflow(step, MATRIX)
        result = redirected(text, references(path, text)[0], NAME)
        files = {path: result, **{f"{s}/{d}": "" for s in ("api", "web") for d in ("Dockerfile", NAME)}}
        assert {each.dockerfile for each in build_references(files, files)} == {
            "web/Dockerfile",
            "api/Dockerfile.ci",
        }


def test_a_matrix_with_entries_of_its_own() -> None:
    include = (
        "    strategy:\n      matrix:\n        include:\n          # the api\n          - service: api\n"
        "            file: api/Dockerfile\n          - {service: web, file: web/Dockerfile}\n"
    )
    text = workflow("      - run: docker build -f ${{ matrix.file }} .\n", include)
    assert change(".github/workflows/w.yml", text) == [
        "-            file: api/Dockerfile",
        "+            file: api/Dockerfile.ci",
    ]


def test_a_matrix_that_has_nothing_to_do_with_the_dockerfile() -> None:
    job = '    strategy:\n      matrix:\n        python: ["3.11", "3.12"]\n'
    text = workflow("      - run: docker build --build-arg P=${{ matrix.python }} api\n", job)
    found = change(".github/workflows/w.yml", text)
    assert len([line for line in found if line[0] == "+"]) == 1
    assert "-f api/Dockerfile.ci --build-arg" in found[1]


@pytest.mark.parametrize(
    ("job", "step", "reason"),
    [
        (
            "    strategy:\n      matrix: {service: [web, api]}\n",
            "      - run: docker build ${{ matrix.service }}\n",
            "on one line",
        ),
        (
            "    strategy:\n      matrix:\n        file: [web/Dockerfile, api/Dockerfile]\n",
            "      - run: docker build -f ${{ matrix.file }} .\n",
            "comes from matrix.file",
        ),
    ],
)
def test_a_matrix_that_cannot_be_changed_is_left(job: str, step: str, reason: str) -> None:
    with pytest.raises(YamlRefusal, match=reason):
        change(".github/workflows/w.yml", workflow(step, job))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "services:\n  api:\n    build: ./api   # c\n    image: x\n",
            [
                "-    build: ./api   # c",
                "+    build:",
                "+      context: ./api   # c",
                "+      dockerfile: Dockerfile.ci",
            ],
        ),
        (
            "services:\n  api:\n    build:\n      context: 'api' # c\n      args: [a=b]\n",
            ["+      dockerfile: Dockerfile.ci"],
        ),
        (
            "services:\n  api:\n    build:\n      context: .\n      dockerfile: ./api/Dockerfile\n",
            ["-      dockerfile: ./api/Dockerfile", "+      dockerfile: ./api/Dockerfile.ci"],
        ),
        (
            "services:\n  api:\n    build: {context: api}\n",
            ["-    build: {context: api}", "+    build: {context: api, dockerfile: Dockerfile.ci}"],
        ),
    ],
)
def test_a_service(text: str, expected: list[str]) -> None:
    assert change("compose.yaml", text) == expected
    windows = text.replace("\n", "\r\n")
    result = redirected(windows, references("compose.yaml", windows)[0], NAME)
    assert result.replace("\r\n", "") == result.replace("\r\n", "\n").replace("\n", "")


def test_what_services_share_is_left() -> None:
    text = "x: &x\n  context: api\nservices:\n  a:\n    build: *x\n  b:\n    build: *x\n"
    with pytest.raises(YamlRefusal, match=r"also change"):
        change("compose.yaml", text)


def test_gitlab_scripts_and_makefiles() -> None:
    assert change(".gitlab-ci.yml", "test:\n  script:\n    - docker build -t \"$X\" 'api'\n")[1] == (
        "+    - docker build -f 'api/Dockerfile.ci' -t \"$X\" 'api'"
    )
    assert change("ci.sh", "#!/bin/sh\ndocker build api\n")[1] == "+docker build -f api/Dockerfile.ci api"
    make = "IMAGE = x\ntest:\n\t@docker build -t $(IMAGE) \\\n\t  api\n\tdocker run x\n"
    assert change("Makefile", make)[1] == "+\t@docker build -f api/Dockerfile.ci -t $(IMAGE) \\"


def test_a_computed_path_in_a_makefile_is_left() -> None:
    with pytest.raises(YamlRefusal, match="computed"):
        change("Makefile", "DIR = api\ntest:\n\tdocker build $(DIR)\n")


STEPS = "      - uses: actions/checkout@v4\n\n      # the image\n      - name: Build\n        run: docker build api\n"


def test_the_check_runs_before_the_build() -> None:
    text = workflow(STEPS)
    build = references(".github/workflows/w.yml", text)[0]
    result = with_step(text, build, "Check: it", "python3 ci/x.py y")
    assert result == workflow(
        "      - uses: actions/checkout@v4\n\n"
        '      - name: "Check: it"\n        run: python3 ci/x.py y\n\n'
        "      # the image\n      - name: Build\n        run: docker build api\n"
    )


def test_the_check_runs_once_in_a_matrix_and_at_the_root() -> None:
    job = "    defaults:\n      run:\n        working-directory: api\n" + MATRIX
    text = workflow("      - run: docker build ../${{ matrix.service }}\n", job)
    build = references(".github/workflows/w.yml", text)[0]
    step = load(with_step(text, build, "Check", "python3 x"))["jobs"]["t"]["steps"][0]
    assert step == {
        "name": "Check",
        "if": "matrix.service == 'api'",
        "working-directory": ".",
        "run": "python3 x",
    }
