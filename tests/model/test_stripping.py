"""Which RUNs strip, and which do nothing else."""

import pytest

from phasewise.model.dockerfile import Dockerfile
from phasewise.model.stages.stripping import only_strips, stripping
from phasewise.rules.strip_symbols import StripSymbols

OWN = [example.after for example in StripSymbols.FIRES if example.after]


def runs(text: str) -> Dockerfile:
    return Dockerfile.parse(text, "Dockerfile")


@pytest.mark.parametrize("text", OWN)
def test_what_the_rule_writes_only_strips(text: str) -> None:
    dockerfile = runs(text)
    found = [instruction for instruction, _ in stripping(dockerfile, dockerfile.instructions)]
    assert found
    assert all(only_strips(dockerfile, instruction) for instruction in found)


@pytest.mark.parametrize(
    ("command", "only"),
    [
        ("find /opt/venv -name '*.so' -exec strip {} + 2>/dev/null || true", True),
        ("find /opt/venv -name '*.so' | xargs strip --strip-unneeded; rm -f /tmp/libraries", True),
        ("apt-get update && apt-get install -y binutils && strip /app/server", True),
        ("apt-get update && apt-get install -y binutils curl && strip /app/server", False),
        ("strip /app/server && rm -rf /opt/venv/lib/python3.12/site-packages/tests", False),
        ("find /opt/venv -name tests -exec rm -rf {} +; strip /app/server", False),
        ("pip install pandas && find / -name '*.so' -exec strip {} +", False),
        ("strip /app/server && echo yes > /etc/stripped", False),
        ("pip install pandas", False),
    ],
)
def test_other_ways(command: str, only: bool) -> None:
    dockerfile = runs(f"FROM python:3.12-slim\nRUN {command}\n")
    (run,) = (each for each in dockerfile.instructions if each.keyword == "RUN")
    assert only_strips(dockerfile, run) is only
