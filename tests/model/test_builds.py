from textwrap import dedent

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phasewise.model.builds.build_redirect import redirected
from phasewise.model.builds.references import build_references
from phasewise.model.repo import BuildReference, Purpose

WORKFLOW = ".github/workflows/ci.yml"
DOCKERFILES = dict.fromkeys(
    ("Dockerfile", "api/Dockerfile", "api/prod.Dockerfile", "web/Dockerfile"), "FROM x\n"
)


def found(path: str = WORKFLOW, text: str = "", **others: str) -> tuple[BuildReference, ...]:
    files = {**DOCKERFILES, **others, path: dedent(text)}
    return build_references(files, files)


def job(body: str, name: str = "build", head: str = "") -> str:
    steps = "\n".join(f"      {line}" if line else "" for line in dedent(body).strip().split("\n"))
    return f"{head}jobs:\n  {name}:\n    runs-on: x\n    steps:\n{steps}\n"


def script(*lines: str, name: str = "build", head: str = "") -> tuple[BuildReference, ...]:
    body = "\n".join(f"          {line}" for line in lines)
    text = f"{head}jobs:\n  {name}:\n    steps:\n      - uses: actions/checkout@v4\n      - run: |\n{body}\n"
    return found(text=text)


class TestCommands:
    @pytest.mark.parametrize(
        ("command", "dockerfile", "context", "stage"),
        [
            ("docker build .", "Dockerfile", ".", None),
            ("docker build api", "api/Dockerfile", "api", None),
            ("sudo docker build ./api/", "api/Dockerfile", "api", None),
            ("docker image build -t x:y api", "api/Dockerfile", "api", None),
            ("docker buildx build --load --platform linux/amd64 -t x api", "api/Dockerfile", "api", None),
            (
                "docker buildx build --builder b -f api/prod.Dockerfile api",
                "api/prod.Dockerfile",
                "api",
                None,
            ),
            ("podman build --file=api/prod.Dockerfile .", "api/prod.Dockerfile", ".", None),
            ("buildah bud -f api/Dockerfile .", "api/Dockerfile", ".", None),
            ("docker build --target production .", "Dockerfile", ".", "production"),
            (
                "docker build --target='production' \\\n  -f \"api/Dockerfile\" .",
                "api/Dockerfile",
                ".",
                "production",
            ),
            ("cd api && docker build .", "api/Dockerfile", "api", None),
            ("cd api\ndocker build -f prod.Dockerfile ..", "api/prod.Dockerfile", ".", None),
            ("(cd web; make); docker build api", "api/Dockerfile", "api", None),
            ("docker build $GITHUB_WORKSPACE/api", "api/Dockerfile", "api", None),
            ('docker build -f $(pwd)/api/Dockerfile "$PWD"', "api/Dockerfile", ".", None),
            ("docker build ${{ github.workspace }}/api", "api/Dockerfile", "api", None),
            ("DIR=api\ndocker build $DIR", "api/Dockerfile", "api", None),
            ("docker build ${DIR:-api}", "api/Dockerfile", "api", None),
            ("if true; then docker build -q api; fi", "api/Dockerfile", "api", None),
            ("docker build -t a:$(git rev-parse HEAD) api | tee log", "api/Dockerfile", "api", None),
            ("DOCKER_BUILDKIT=1 docker build api", "api/Dockerfile", "api", None),
        ],
    )
    def test_what_they_build(self, command: str, dockerfile: str, context: str, stage: str | None) -> None:
        (reference,) = script(*command.split("\n"))
        assert (reference.dockerfile, reference.context, reference.stage) == (dockerfile, context, stage)

    @pytest.mark.parametrize(
        "command",
        [
            "docker build -f $UNKNOWN .",
            "docker build ${{ inputs.context }}",
            "docker build ${{ matrix.nothing_known }}/x",
            "docker build --target ${{ github.ref_name }} .",
            "docker build - < Dockerfile",
            "docker build https://example.com/x.git",
            "docker build /srv/app",
            "docker build ../other",
            "docker build missing",
            "cd $UNKNOWN && docker build .",
            "cd api && cd - && docker build .",
            "docker builder prune",
            "echo docker build .",
            "docker run build .",
            "# docker build .",
            "docker buildx bake",
        ],
    )
    def test_what_cannot_be_told_is_left_out(self, command: str) -> None:
        assert script(command) == ()

    def test_the_line_and_the_address(self) -> None:
        text = job(
            """
            - uses: actions/checkout@v4

            - name: Both
              run: |
                echo "one"

                docker build api \\
                  --tag x   # comment
                docker build web
            """
        )
        lines = text.split("\n")
        first, second = found(text=text)
        assert [lines[r.line - 1].strip() for r in (first, second)] == [first.text, second.text]
        assert first.text == "docker build api \\"
        assert second.text == "docker build web"
        assert first.where == second.where == "jobs.build.steps[1]"

    def test_windows_line_ends(self) -> None:
        text = job("- run: |\n    echo\n    docker build api\n").replace("\n", "\r\n")
        (reference,) = found(text=text)
        assert text.split("\r\n")[reference.line - 1].strip() == reference.text == "docker build api"

    def test_arguments(self) -> None:
        (reference,) = script(
            "docker build --build-arg A=1 --build-arg 'B=two words' --build-arg C --build-arg D=$X ."
        )
        assert reference.arguments == (("A", "1"), ("B", "two words"))


class TestFolders:
    def test_working_directory_of_the_step(self) -> None:
        (reference,) = found(text=job("- run: docker build .\n  working-directory: ./api"))
        assert reference.dockerfile == "api/Dockerfile"

    def test_defaults(self) -> None:
        head = "defaults:\n  run:\n    working-directory: web\n"
        (reference,) = found(text=job("- run: docker build .", head=head))
        assert reference.dockerfile == "web/Dockerfile"
        own = "    defaults: {run: {working-directory: api}}\n"
        text = f"{head}jobs:\n  a:\n{own}    steps:\n      - run: docker build .\n"
        assert [r.dockerfile for r in found(text=text)] == ["api/Dockerfile"]

    def test_unknown(self) -> None:
        assert found(text=job("- run: docker build .\n  working-directory: ${{ inputs.dir }}")) == ()


class TestEnvironment:
    def test_three_levels(self) -> None:
        text = dedent("""
            env: {DIR: web, FILE: nothing}
            jobs:
              build:
                env:
                  FILE: ${{ env.UNKNOWN }}
                steps:
                  - run: docker build $DIR
                  - run: docker build "${DIR}"
                    env: {DIR: api}
                  - run: docker build ${{ env.DIR }}
                  - run: docker build -f $FILE .
            """)
        assert [r.dockerfile for r in found(text=text)] == [
            "web/Dockerfile",
            "api/Dockerfile",
            "web/Dockerfile",
        ]


class TestMatrix:
    def matrix(
        self, matrix: str, command: str = "docker build ${{ matrix.service }}"
    ) -> tuple[BuildReference, ...]:
        rows = "\n".join(f"        {line}" for line in dedent(matrix).strip().split("\n"))
        return found(
            text=f"jobs:\n  a:\n    strategy:\n      matrix:\n{rows}\n    steps:\n      - run: {command}\n"
        )

    def test_values(self) -> None:
        references = self.matrix("service: [api, web]\npython: ['3.11', '3.12']")
        assert [(r.dockerfile, r.matrix) for r in references] == [
            ("api/Dockerfile", (("service", "api"),)),
            ("web/Dockerfile", (("service", "web"),)),
        ]

    def test_include_adds_and_extends(self) -> None:
        matrix = """
            service: [api, web]
            include:
              - service: api
                file: prod.Dockerfile
              - service: .
              - push: nothing
        """
        references = self.matrix(
            matrix, "docker build -f ${{ matrix.service }}/${{ matrix.file || 'Dockerfile' }} ."
        )
        assert [(r.dockerfile, r.matrix) for r in references] == [
            ("api/prod.Dockerfile", (("service", "api"), ("file", "prod.Dockerfile"))),
            ("web/Dockerfile", (("service", "web"),)),
            ("Dockerfile", (("service", "."),)),
        ]

    def test_exclude(self) -> None:
        references = self.matrix("service: [api, web]\nexclude: [{service: web}]")
        assert [r.dockerfile for r in references] == ["api/Dockerfile"]

    def test_only_include(self) -> None:
        references = self.matrix("include:\n  - {service: api}\n  - {service: web}")
        assert [r.matrix for r in references] == [(("service", "api"),), (("service", "web"),)]

    def test_entries_that_are_mappings(self) -> None:
        matrix = "image:\n  - {name: a, file: api/prod.Dockerfile}\n  - {name: b, file: web/Dockerfile}"
        references = self.matrix(matrix, "docker build -f ${{ matrix.image.file }} .")
        assert [r.dockerfile for r in references] == ["api/prod.Dockerfile", "web/Dockerfile"]

    @pytest.mark.parametrize(
        "matrix", ["${{ fromJSON(needs.x.outputs.y) }}", "service: ${{ fromJSON('[]') }}"]
    )
    def test_computed(self, matrix: str) -> None:
        assert self.matrix(matrix) == ()
        assert [r.dockerfile for r in self.matrix(matrix, "docker build api")] == ["api/Dockerfile"]


class TestActions:
    @pytest.mark.parametrize(
        ("inputs", "expected"),
        [
            ("{}", ("Dockerfile", ".", None)),
            ("{context: api}", ("api/Dockerfile", "api", None)),
            ("{context: ./api, file: ./api/prod.Dockerfile}", ("api/prod.Dockerfile", "api", None)),
            ("{file: api/Dockerfile, target: run}", ("api/Dockerfile", ".", "run")),
            ("{context: '{{defaultContext}}:api'}", ("api/Dockerfile", "api", None)),
            ("{context: '${{ github.workspace }}/api'}", ("api/Dockerfile", "api", None)),
            ("{context: 'https://example.com/x.git'}", None),
            ("{file: '${{ inputs.file }}'}", None),
            ("{target: '${{ inputs.target }}'}", None),
        ],
    )
    def test_inputs(self, inputs: str, expected: tuple[str, str, str | None] | None) -> None:
        references = found(text=job(f"- uses: docker/build-push-action@v6\n  with: {inputs}"))
        assert [(r.dockerfile, r.context, r.stage) for r in references] == ([expected] if expected else [])

    def test_without_inputs(self) -> None:
        (reference,) = found(text=job("- name: x\n  uses: docker/build-push-action@v6"))
        assert reference.text == "uses: docker/build-push-action@v6"
        assert reference.dockerfile == "Dockerfile"

    def test_arguments(self) -> None:
        inputs = "with:\n    build-args: |\n      A=1\n      B=${{ secrets.X }}\n      C=${{ env.C }}"
        (reference,) = found(
            text=job(f"- uses: docker/build-push-action@v6\n  {inputs}", head="env: {C: c}\n")
        )
        assert reference.arguments == (("A", "1"), ("C", "c"))


class TestPurpose:
    def of(self, text: str) -> list[str]:
        return [str(reference.purpose) for reference in found(".github/workflows/build.yml", text)]

    @pytest.mark.parametrize(
        ("inputs", "purpose"),
        [
            ("push: true", "deploy"),
            ("push: ${{ github.event_name != 'pull_request' }}", "deploy"),
            ("outputs: type=registry", "deploy"),
            ("outputs: type=image,push=true", "deploy"),
            ("push: false", "test"),
            ("load: true", "test"),
        ],
    )
    def test_what_is_pushed_is_deployed_whatever_its_name(self, inputs: str, purpose: str) -> None:
        step = f"- name: Test the image\n  uses: docker/build-push-action@v6\n  with:\n    {inputs}"
        assert self.of(job(step)) == [purpose]

    @pytest.mark.parametrize(
        ("commands", "purpose"),
        [
            ("docker buildx build --push -t x .", "deploy"),
            ("docker build -t x:1 .\ndocker push x:2", "deploy"),
            ("docker build -t $X:test .\ndocker push $X:test", "deploy"),
            ("docker build -t x .\ndocker tag x y\ndocker push y", "deploy"),
            ("docker build .\ndocker push y", "deploy"),
            ("docker build -t x:test .\npytest", "test"),
            ("docker build -t x:test .\ndocker run x:test sh -c 'python -m pytest -q'", "test"),
            ("docker build -t x:test .\npip install pytest", "unknown"),
            ("docker build -t x .\ntrivy image x", "scan"),
            ("docker build -t x .\ngrype x", "scan"),
            ("docker build -t x:test .\npytest\ndocker push other", "test"),
        ],
    )
    def test_what_else_the_job_runs(self, commands: str, purpose: str) -> None:
        body = "\n".join(f"    {line}" for line in commands.split("\n"))
        assert self.of(job(f"- run: |\n{body}")) == [purpose]

    @pytest.mark.parametrize(
        ("job_name", "step_name", "purpose"),
        [
            ("test", "Build", "test"),
            ("build", "Build for the integration tests", "test"),
            ("security-scan", "Build", "scan"),
            ("deploy", "Build", "deploy"),
            ("publishImage", "Build", "deploy"),
            ("latest", "contest", "unknown"),
            ("build", "Build", "unknown"),
        ],
    )
    def test_names(self, job_name: str, step_name: str, purpose: str) -> None:
        assert self.of(job(f"- name: {step_name}\n  run: docker build .", job_name)) == [purpose]

    def test_a_scanner_beside_it(self) -> None:
        steps = "- run: docker build -t x .\n- uses: aquasecurity/trivy-action@0.28.0\n  with: {image-ref: x}"
        assert self.of(job(steps)) == ["scan"]

    def test_the_workflows_name_comes_last(self) -> None:
        assert self.of(job("- run: docker build .", head="name: CI\n")) == ["test"]
        assert self.of(job("- run: docker build .", "deploy", head="name: CI\n")) == ["deploy"]
        assert [r.purpose for r in found(".github/workflows/release.yml", job("- run: docker build ."))] == [
            "deploy"
        ]


class TestCompose:
    def test_forms(self) -> None:
        references = found(
            "deploy/docker-compose.yml",
            """
            x-build: &build
              context: ../api
              args: {A: "1", B: "${B}", C: "${C:-c}"}
            services:
              short:
                build: ../api
              long:
                image: x
                build:
                  context: ..
                  dockerfile: api/prod.Dockerfile
                  target: run
                  args: [A=1, B]
              shared:
                build:
                  <<: *build
                  target: other
              image-only: {image: postgres}
              remote: {build: "https://example.com/x.git"}
              inline: {build: {dockerfile_inline: "FROM x"}}
              unknown: {build: "${WHERE}"}
              default: {build: "${WHERE:-../web}"}
            """,
        )
        assert [(r.where, r.dockerfile, r.context, r.stage, r.arguments) for r in references] == [
            ("services.short", "api/Dockerfile", "api", None, ()),
            ("services.long", "api/prod.Dockerfile", ".", "run", (("A", "1"),)),
            ("services.shared", "api/Dockerfile", "api", "other", (("A", "1"), ("C", "c"))),
            ("services.default", "web/Dockerfile", "web", None, ()),
        ]
        assert [r.text for r in references][:2] == ["build: ../api", "build:"]

    @pytest.mark.parametrize(
        ("name", "service", "purpose"),
        [
            ("compose.yaml", "api", "unknown"),
            ("docker-compose.test.yml", "api", "test"),
            ("docker-compose.ci.yml", "api", "test"),
            ("compose.dev.yaml", "api", "development"),
            ("docker-compose.prod.yml", "api", "deploy"),
            ("docker-compose.yml", "tests", "test"),
        ],
    )
    def test_purposes(self, name: str, service: str, purpose: str) -> None:
        assert [str(r.purpose) for r in found(name, f"services: {{{service}: {{build: api}}}}")] == [purpose]

    def test_an_override_adds_to_the_base(self) -> None:
        base = "services:\n  api:\n    build: {context: api, dockerfile: prod.Dockerfile, args: {A: '1', B: '1'}}\n"
        override = "services:\n  api:\n    build: {target: dev, args: {B: '2'}}\n"
        references = found("docker-compose.override.yml", override, **{"docker-compose.yml": base})
        assert [(r.path, r.dockerfile, r.context, r.stage, str(r.purpose)) for r in references] == [
            ("docker-compose.override.yml", "api/prod.Dockerfile", "api", "dev", "development"),
            ("docker-compose.yml", "api/prod.Dockerfile", "api", None, "unknown"),
        ]
        assert references[0].arguments == (("A", "1"), ("B", "2"))

    @pytest.mark.parametrize(
        ("command", "services"),
        [
            ("docker compose build", ["api", "web"]),
            ("docker compose -f docker-compose.yml build api", ["api"]),
            ("docker-compose --file docker-compose.yml up -d --build web", ["web"]),
            ("docker compose run --build api pytest", ["api", "web"]),
            ("docker compose up", []),
            ("docker compose -f $X build", []),
            ("docker compose -f other.yml build", []),
        ],
    )
    def test_in_a_workflow(self, command: str, services: list[str]) -> None:
        compose = "services: {api: {build: api}, web: {build: web}}\n"
        references = found(text=job(f"- run: {command}", "test"), **{"docker-compose.yml": compose})
        ours = [reference for reference in references if reference.path == WORKFLOW]
        assert [reference.context for reference in ours] == services
        assert {str(reference.purpose) for reference in ours} <= {"test"}


def test_gitlab() -> None:
    references = found(
        ".gitlab-ci.yml",
        """
        variables: {DIR: api}
        stages: [build, deploy]
        image tests:
          stage: test
          script:
            - cd $DIR
            - |
              echo
              docker build -t x .
        publish:
          script:
            - docker build -t $CI_REGISTRY_IMAGE "$CI_PROJECT_DIR/web"
            - docker push $CI_REGISTRY_IMAGE
        scan:
          script: [!reference [.setup, script], "docker build api && trivy image x"]
        """,
    )
    assert [(r.dockerfile, str(r.purpose), r.where, r.text) for r in references] == [
        ("api/Dockerfile", "test", "image tests.script[1]", "docker build -t x ."),
        (
            "web/Dockerfile",
            "deploy",
            "publish.script[0]",
            '- docker build -t $CI_REGISTRY_IMAGE "$CI_PROJECT_DIR/web"',
        ),
        (
            "api/Dockerfile",
            "scan",
            "scan.script[1]",
            'script: [!reference [.setup, script], "docker build api && trivy image x"]',
        ),
    ]


def test_makefiles_and_scripts() -> None:
    makefile = (
        "TAG ?= x  # name\nDIR := api\n\nimage: deps\n\t@docker build -t $(TAG) \\\n\t\t$(DIR)\n"
        "test-image:\n\tdocker build --build-arg A=$$A -f $(UNKNOWN) .\n\tdocker build web\n"
    )
    shell = "#!/bin/sh\nset -e\ncd web\ndocker build -t x .\ndocker push x\n"
    just = "dir := 'api'\n\nbuild:\n    docker build {{dir}}\n    docker build {{other}}\n"
    references = found("Makefile", makefile) + found("scripts/ship.sh", shell) + found("justfile", just)
    lines = [(r.path, r.line, r.dockerfile, str(r.purpose), r.where) for r in references]
    assert lines == [
        ("Makefile", 5, "api/Dockerfile", "unknown", "image"),
        ("Makefile", 9, "web/Dockerfile", "test", "test-image"),
        ("scripts/ship.sh", 4, "web/Dockerfile", "deploy", "ship.sh"),
        ("justfile", 4, "api/Dockerfile", "unknown", "build"),
    ]


def test_makefile_tabs() -> None:
    (reference,) = build_references(
        {**DOCKERFILES, "Makefile": "test:\n\tdocker build api\n"}, {*DOCKERFILES, "Makefile"}
    )
    assert (reference.line, reference.where, reference.purpose) == (2, "test", Purpose.TEST)


def test_other_peoples_code_is_left_alone() -> None:
    assert found("vendor/x/docker-compose.yml", "services: {a: {build: ../../api}}") == ()


def test_every_address_can_be_redirected() -> None:
    text = job(
        "- run: docker build -t x api\n- uses: docker/build-push-action@v6\n  with:\n    context: api\n",
        "test",
    )
    for reference in found(text=text):
        assert "Dockerfile.ci" in redirected(text, reference, "Dockerfile.ci")


@given(
    st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"%@`\n\t #$(),=\\.<0") | st.characters(), max_size=80)
)
@example("jobs: {a: {steps: [{run: docker build .}, 1, null]}}")
@example("jobs: {a: {steps: [{uses: docker/build-push-action@v6, with: [1]}]}}")
@example("services: {a: {build: [x]}, b: {build: {context: [x], args: 1}}, c: 1}")
@example(
    "jobs: {a: {strategy: {matrix: {x: &m [{a: *m}], y: [&n {a: *n}]}}, steps: [{run: docker build .}]}}"
)
@example("a: &a\n  build: *a\n")
@example("build: &x {<<: *x}")
@pytest.mark.parametrize("path", [WORKFLOW, "docker-compose.yml", ".gitlab-ci.yml", "Makefile", "build.sh"])
def test_no_text_makes_it_fail(path: str, text: str) -> None:
    text = f"{text}\n# docker build"
    assert isinstance(build_references({**DOCKERFILES, path: text}, {*DOCKERFILES, path}), tuple)
