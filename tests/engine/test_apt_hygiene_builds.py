"""apt installs, built: smaller, one layer, and the compiler still finds its headers."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_bench import Bench

from phasewise.migration.images import Engine
from phasewise.rules.apt_hygiene import AptHygiene

pytestmark = pytest.mark.engine

MB = 1_000_000
BEFORE = r"""FROM python:3.12-slim
RUN apt-get update
RUN apt-get install -y \
    # compiles
    gcc
# init
RUN apt-get install -y tini
RUN printf '#include <stdio.h>\nint main(void) { return puts("up") < 0; }\n' > /x.c && gcc -o /x /x.c
CMD ["/x"]
"""


def test_less_is_installed_and_the_compiler_still_works(
    engine: Engine, repository: str, tmp_path: Path
) -> None:
    bench = Bench(engine, repository, tmp_path)
    before = bench.build(BEFORE)
    _, text = bench.migrate(AptHygiene(), BEFORE)
    after = bench.build(text)
    was, now = bench.size(before), bench.size(after)
    print(f"before {was}, after {now}, layers {text.count('RUN ')} instead of {BEFORE.count('RUN ')}")
    assert was - now > 20 * MB
    assert text.count("RUN ") == 2
    assert bench.run(after, "/x") == "up"
    assert bench.run(after, "sh", "-c", "ls /var/lib/apt/lists") == ""
    bench.run(after, "tini", "--version")


def test_the_flag_alone_takes_the_headers_away(engine: Engine, repository: str, tmp_path: Path) -> None:
    bench = Bench(engine, repository, tmp_path)
    naive = BEFORE.replace("install -y", "install -y --no-install-recommends")
    assert "stdio.h" in bench.error(naive)
