"""Stripping for real: smaller by what was predicted, and every library still loads."""

from __future__ import annotations

from pathlib import Path

import pytest
from before_and_after import Trial

from phasewise.migration.images import Engine
from phasewise.rules.strip_symbols import StripSymbols

pytestmark = pytest.mark.engine

SITE = "/opt/venv/lib/python3.12/site-packages"
BUILDER = r"""FROM python:3.12-slim AS builder
RUN apt-get update && apt-get install -y --no-install-recommends binutils
RUN python -m venv /opt/venv
COPY requirements.txt odd.so ./
RUN /opt/venv/bin/pip install --no-cache-dir -r requirements.txt && cp odd.so "/opt/venv/an odd.so"
"""
FINAL = r"""
FROM python:3.12-slim
ENV PATH=/opt/venv/bin:$PATH
COPY --from=builder /opt/venv /opt/venv
CMD ["python", "-c", "import numpy.linalg, greenlet"]
"""
FILES = {"requirements.txt": "numpy==2.3.5\ngreenlet==3.2.4\n", "odd.so": "INPUT(libm.so)\n"}
NAIVE = "RUN find /opt/venv -name '*.so*' -type f -exec strip --strip-unneeded {} + || true\n"


def test_smaller_and_all_libraries_load_where_the_naive_way_breaks_them(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    trial = Trial(engine, repository, tmp_path / "strip", BUILDER + FINAL, FILES)
    before = trial.build()
    phase, text = trial.propose(StripSymbols(), before)
    after = trial.build(text)
    assert not trial.broken(before, after)

    saved = before.bytes - after.bytes
    assert phase.predicted.image_bytes is not None
    assert 0.9 * -phase.predicted.image_bytes < saved < 1.1 * -phase.predicted.image_bytes

    # What patchelf rewrote, and what is no library, is byte for byte as it was.
    untouched = ["sh", "-c", f"cat {SITE}/numpy.libs/* '/opt/venv/an odd.so' | sha256sum; ls /tmp"]
    assert trial.shop.run(after, *untouched) == trial.shop.run(before, *untouched)

    naive = trial.build(BUILDER + NAIVE + FINAL)
    assert "import:numpy" in {result.id for result in trial.broken(before, naive)}
