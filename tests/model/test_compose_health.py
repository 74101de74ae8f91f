"""The health check that compose gives an image without one of its own."""

import pytest

from phasewise.model.builds.compose import health_of

COMPOSE = """\
services:
  api:
    build: .
{more}
  db:
    image: postgres
    healthcheck: {{test: pg_isready}}
"""


def found(
    healthcheck: str, dockerfile: str = "Dockerfile", stage: str | None = None, name: str = "compose.yaml"
) -> object:
    more = "\n".join(f"    {line}" for line in healthcheck.split("\n"))
    return health_of({name: COMPOSE.format(more=more)}, dockerfile, {stage})


def test_a_list_with_times() -> None:
    text = (
        'healthcheck:\n  test: ["CMD", "curl", "-f", "http://localhost/$$x"]\n  interval: 1m30s\n'
        "  timeout: 500ms\n  start_period: 1.5s\n  retries: 4"
    )
    assert found(text) == {
        "Test": ["CMD", "curl", "-f", "http://localhost/$x"],
        "Interval": 90 * 10**9,
        "Timeout": 5 * 10**8,
        "StartPeriod": 15 * 10**8,
        "Retries": 4,
    }


def test_a_string_runs_in_a_shell() -> None:
    assert found("healthcheck: {test: curl -f localhost || exit 1}") == {
        "Test": ["CMD-SHELL", "curl -f localhost || exit 1"]
    }


@pytest.mark.parametrize(
    "text",
    [
        "ports: []",
        "healthcheck: {disable: true, test: x}",
        "healthcheck: {test: [NONE]}",
        "healthcheck: {interval: 3s}",
        "healthcheck: {test: 'curl $HOST'}",
        "healthcheck: {test: curl x}\ncommand: sleep infinity",
        "healthcheck: {test: curl x}\nentrypoint: [x]",
    ],
)
def test_what_says_nothing_about_the_image(text: str) -> None:
    assert found(text) is None


def test_only_the_service_that_builds_the_target_counts() -> None:
    text = "healthcheck: {test: curl x}"
    assert found(text, "api/Dockerfile") is None
    assert found(text, stage="debug") is None
    assert found(text, name="notes.yaml") is None
    assert found(text) is not None
