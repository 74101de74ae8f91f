"""Pruning for real: smaller by what was predicted, and everything is still imported and found."""

from __future__ import annotations

from pathlib import Path

import pytest
from before_and_after import Trial

from phasewise.migration.images import Engine
from phasewise.rules.prune_site_packages import PruneSitePackages

pytestmark = pytest.mark.engine

DOCKERFILE = r"""FROM python:3.12-slim AS builder
ENV PATH=/opt/venv/bin:$PATH
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN pip install --no-cache-dir --no-compile -r requirements.txt
{extra}
FROM python:3.12-slim
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
COPY --from=builder /opt/venv /opt/venv
WORKDIR /app
COPY app.py .
CMD ["python", "app.py"]
"""
# mpmath imports its own tests, numpy.testing one of numpy's; pip-api has a name like pip's.
REQUIREMENTS = "numpy==2.3.5\nmpmath==1.3.0\ngreenlet\npip-api==0.0.34\n"
APP = "import numpy.testing, mpmath, greenlet\n"
NAIVE = (
    "RUN find /opt/venv -type d -name tests -o -name test | xargs rm -rf && "
    "rm -rf /opt/venv/lib/python3.12/site-packages/pip*\n"
)


def test_smaller_and_nothing_breaks_where_the_naive_way_does(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    files = {"requirements.txt": REQUIREMENTS, "app.py": APP}
    trial = Trial(engine, repository, tmp_path / "prune", DOCKERFILE.format(extra=""), files)
    before = trial.build()
    phase, text = trial.propose(PruneSitePackages(), before)
    after = trial.build(text)
    assert not trial.broken(before, after)

    saved = before.bytes - after.bytes
    assert saved > 3_000_000
    # Predicted is the most that can go: the tests that numpy and mpmath import are counted, and stay.
    assert phase.predicted.image_bytes is not None
    assert 0.3 * -phase.predicted.image_bytes < saved < 1.1 * -phase.predicted.image_bytes

    site = "/opt/venv/lib/python3.12/site-packages"
    left = trial.shop.run(after, "find", site, "-type", "d", "-name", "tests", "!", "-path", "*/pip/*")
    assert sorted(left.splitlines()) == [f"{site}/mpmath/tests", f"{site}/numpy/_core/tests"]
    shown = trial.shop.run(after, "sh", "-c", f"ls {site}; find /opt/venv -name '*.h'")
    assert {"pip_api", "pip", "numpy-2.3.5.dist-info"} <= set(shown.split())
    assert "/include/" not in shown

    naive = trial.build(DOCKERFILE.format(extra=NAIVE))
    broken = {result.id for result in trial.broken(before, naive)}
    assert {"import:pip_api", "metadata:pip-api"} <= broken


def test_pip_goes_where_nothing_needs_it_and_setuptools_stays_where_something_does(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    dockerfile = DOCKERFILE.format(extra="")
    files = {
        "requirements.txt": "setuptools<80\nzope.interface==6.4\nwheel\n",
        "app.py": "import zope.interface\n",
    }
    trial = Trial(engine, repository, tmp_path / "installers", dockerfile, files)
    before = trial.build()
    phase, text = trial.propose(PruneSitePackages(), before)
    after = trial.build(text)
    assert not trial.broken(before, after)
    names = trial.shop.run(after, "ls", "/opt/venv/lib/python3.12/site-packages").split()
    assert "setuptools" in names
    assert not {"pip", "wheel"} & set(names)
    assert "pip install" in phase.costs
