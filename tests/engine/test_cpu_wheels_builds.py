"""PyTorch's CPU builds for real installers: what stays installed after later commands, and what the naive ways get.

The packages are stand-ins of a few bytes, made here: a `torch` 2.3.1+cpu in one index, CUDA builds of 2.3.1 and
2.4.0 in another, which require an `nvidia-cudnn-cu12`. Both indexes are folders of the build context (file://),
put in the place of PyTorch's CPU index and of the package index. pip, uv and the builds are real; the size of
PyTorch and the network are not shown.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from engine_bench import Bench

from phasewise.migration.events import Verified
from phasewise.migration.images import Engine
from phasewise.migration.removals import checks_of
from phasewise.migration.verify import verify
from phasewise.model.census import Census, Distribution
from phasewise.model.measurement import Verification
from phasewise.model.python.torch_builds import CPU_INDEX
from phasewise.rules.cpu_wheels import CpuWheels

pytestmark = pytest.mark.engine

FROM = "FROM python:3.12-slim\n"
DOCKERFILE = f"""{FROM}COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
RUN pip install --no-cache-dir --upgrade accelerate
CMD ["python"]
"""
INSTALLED = ("pip", "list", "--format=freeze")


def wheel(folder: Path, name: str, version: str, *requires: str, size_bytes: int = 0) -> None:
    """A wheel and the page of a simple index that lists the project's wheels."""
    place, module = folder / name, name.replace("-", "_")
    place.mkdir(parents=True, exist_ok=True)
    info = f"{module}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        f"{module}/__init__.py": f"version = {version!r}\n" + "#" * size_bytes,
        f"{info}/METADATA": metadata + "".join(f"Requires-Dist: {each}\n" for each in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,{len(text)}\n" for path, text in files.items())
    with zipfile.ZipFile(place / f"{module}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    links = (f'<a href="{each.name}">{each.name}</a>' for each in sorted(place.glob("*.whl")))
    (place / "index.html").write_text(f"<!DOCTYPE html><html><body>{' '.join(links)}</body></html>")


@pytest.fixture
def bench(engine: Engine, repository: str, tmp_path: Path) -> Bench:
    folder = tmp_path / "torch"
    index = folder / "indexes" / "all"
    wheel(folder / "indexes" / "cpu", "torch", "2.3.1+cpu", "filelock")
    for version in ("2.3.1", "2.4.0"):
        wheel(index, "torch", version, "filelock", "nvidia-cudnn-cu12==8.9.2.26", size_bytes=500_000)
    wheel(index, "filelock", "3.20.0")
    wheel(index, "nvidia-cudnn-cu12", "8.9.2.26", size_bytes=2_000_000)
    wheel(index, "sentence-transformers", "3.0.1", "torch>=1.11")
    wheel(index, "accelerate", "1.2.0", "torch>=1.8")
    return Bench(engine, repository, folder, {"requirements.txt": "sentence-transformers\n"})


def placed(dockerfile: str) -> str:
    """The Dockerfile with the two folders as its indexes."""
    here = f"{FROM}COPY indexes /indexes\nENV PIP_INDEX_URL=file:///indexes/all UV_INDEX_URL=file:///indexes/all\n"
    return dockerfile.replace(FROM, here).replace(CPU_INDEX, "file:///indexes/cpu")


def verified(bench: Bench, image: str, baseline: Verification | None, gone: frozenset[str]) -> Verification:
    *_, last = verify(bench.engine, image, commit="c0ffee", baseline=baseline, gone=gone)
    assert isinstance(last, Verified)
    return last.verification


def test_the_cpu_build_stays_where_the_naive_ways_take_or_keep_cuda(bench: Bench) -> None:
    pinned = DOCKERFILE.replace("requirements.txt .\n", "requirements.txt .\nRUN pip install torch==2.3.1\n")
    before = bench.build(placed(pinned))
    assert {"torch==2.3.1", "nvidia-cudnn-cu12==8.9.2.26"} <= set(bench.run(before, *INSTALLED).split())
    phase, text = bench.migrate(CpuWheels(), pinned, bench.census(before))

    after = bench.build(placed(text))
    installed = set(bench.run(after, *INSTALLED).split())
    assert {"torch==2.3.1+cpu", "filelock==3.20.0", "sentence-transformers==3.0.1"} <= installed
    assert not any(each.startswith("nvidia") for each in installed)
    assert phase.predicted.image_bytes is not None
    saved = bench.size(before) - bench.size(after)
    assert -phase.predicted.image_bytes > 2_000_000
    assert saved > -phase.predicted.image_bytes

    gone = checks_of(bench.census(before), phase.removes)
    baseline = verified(bench, before, None, frozenset())
    assert verified(bench, after, baseline, gone).broken_since(baseline) == ()
    missed = {each.id for each in verified(bench, after, baseline, frozenset()).broken_since(baseline)}
    assert {"metadata:nvidia-cudnn-cu12", "import:nvidia_cudnn_cu12"} <= missed

    install = "RUN pip install --no-cache-dir -r requirements.txt\n"
    also = install.replace("install", f"install --extra-index-url {CPU_INDEX} torch")
    behind = f"{install}RUN pip install --index-url {CPU_INDEX} torch==2.4.0\n"
    for naive in (also, behind):
        image = bench.build(placed(DOCKERFILE.replace(install, naive)))
        assert "torch==2.4.0" in bench.run(image, *INSTALLED).split()


def test_torch_that_is_never_named_comes_in_the_version_that_was_installed(bench: Bench) -> None:
    wheel(bench.folder / "indexes" / "cpu", "torch", "2.4.0+cpu", "filelock")
    before = bench.build(placed(DOCKERFILE))
    phase, text = bench.migrate(CpuWheels(), DOCKERFILE, bench.census(before))
    assert "sentence-transformers" in phase.why
    after = bench.build(placed(text))
    assert "torch==2.4.0+cpu" in bench.run(after, *INSTALLED).split()


def test_uv_keeps_it_too(bench: Bench) -> None:
    uv = (
        f"{FROM}RUN pip install uv && uv venv /opt/venv\n"
        "ENV VIRTUAL_ENV=/opt/venv\n"
        "RUN uv pip install torch==2.3.1 sentence-transformers && echo done\n"
        "RUN uv pip install accelerate\n"
    )
    _, text = bench.migrate(CpuWheels(), uv)
    # uv itself comes from the package index of the machine.
    image = bench.build(placed(text).replace("PIP_INDEX_URL=file:///indexes/all ", ""))
    listed = bench.run(image, "uv", "pip", "list", "--format=freeze").split()
    assert {"torch==2.3.1+cpu", "accelerate==1.2.0"} <= set(listed)
    assert not any(each.startswith("nvidia") for each in listed)


def test_a_project_of_uv_must_name_torch_for_its_source_to_count(bench: Bench) -> None:
    wheel(bench.folder / "indexes" / "cpu", "torch", "2.4.0+cpu", "filelock")
    dockerfile = f"{FROM}RUN pip install uv\nCOPY pyproject.toml .\nRUN uv sync --no-dev\n"
    project = '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.12"\n'
    project += 'dependencies = ["sentence-transformers>=3"]\n'
    bench.files["pyproject.toml"] = project
    needs = (Distribution("sentence-transformers", "3.0.1", "/s", 1, requires=("torch",)),)
    census = Census(1, (), 1, distributions=(*needs, Distribution("torch", "2.4.0", "/s", 1)))
    phase, _ = bench.migrate(CpuWheels(), dockerfile, census)
    (edit,) = phase.edits
    assert edit.after

    def installed(text: str) -> list[str]:
        (bench.folder / "pyproject.toml").write_text(text.replace(CPU_INDEX, "file:///indexes/cpu"))
        image = bench.build(placed(dockerfile).replace("PIP_INDEX_URL=file:///indexes/all ", ""))
        return bench.run(image, "uv", "pip", "list", "--python", "/.venv", "--format=freeze").split()

    assert "torch==2.4.0+cpu" in installed(edit.after)
    naive = edit.after.replace(', "torch==2.4.0"', "")
    assert naive != edit.after
    assert "torch==2.4.0" in installed(naive)
