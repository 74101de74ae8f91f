"""The migration that the screens are tested with: seven phases in every state, with figures and checks."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import replace

from phasewise.model.census import Census, Distribution, Layer
from phasewise.model.floor import Asking, Floor
from phasewise.model.history import HistoryEntry
from phasewise.model.hunks import hunks
from phasewise.model.measurement import (
    CheckResult,
    Delta,
    Measurement,
    Outcome,
    Samples,
    Scenario,
    Step,
    Verdict,
    Verification,
)
from phasewise.model.needed import Package
from phasewise.model.phase import (
    Choice,
    Declined,
    Evidence,
    FileEdit,
    Option,
    Phase,
    Prediction,
    Provenance,
    Risk,
)
from phasewise.model.repo import Target
from phasewise.model.start_up import StartUp
from phasewise.model.status import Row, State, Status

WHEN = datetime(2025, 11, 11, 9, 30, tzinfo=UTC)
BASE, COPIED, CLEANED, STRIPPED = (
    "46782a0" + "0" * 33,
    "9f1c2d3" + "1" * 33,
    "b7aa01e" + "2" * 33,
    "c0ffee1" + "3" * 33,
)
TARGET = Target("backend/Dockerfile", "backend", "production")
OTHER = Target("worker/Dockerfile", "worker")

BEFORE = """\
FROM python:3.12-slim AS builder
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN --mount=type=cache,target=/root/.cache/pip /opt/venv/bin/pip install -r requirements.txt
RUN python -m compileall -b /opt/venv

FROM python:3.12-slim AS production
RUN useradd --uid 1000 appuser
# Copy only the virtual environment
COPY --from=builder /opt/venv /opt/venv
COPY . /app
RUN chown -R appuser:appuser /app /opt/venv && chmod -R 755 /app
USER appuser
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
CMD ["uvicorn", "app.main:app", "--host", "0.0.0.0"]
"""
CHOWNED = (
    BEFORE.replace("COPY --from=builder /opt/venv", "COPY --from=builder --chown=1000:1000 /opt/venv")
    .replace("RUN chown -R appuser:appuser /app /opt/venv && chmod -R 755 /app\n", "")
    .replace("COPY . /app", "COPY --chown=1000:1000 . /app")
)
WORKFLOW = """\
name: ci
on: [push]
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: docker build -t app .  # for the tests
      - run: docker run --rm app pytest
"""


def layers(copied: int, chowned: int) -> tuple[Layer, ...]:
    found = [
        Layer("/bin/sh -c #(nop) ADD file:0f0e in /", 208_000_000),
        Layer("RUN /bin/sh -c useradd --uid 1000 appuser # buildkit", 5_200),
        Layer("COPY --from=builder /opt/venv /opt/venv # buildkit", copied),
        Layer("COPY . /app # buildkit", 2_400_000),
    ]
    return (
        (*found, Layer("RUN /bin/sh -c chown -R appuser:appuser /app /opt/venv # buildkit", chowned))
        if chowned
        else tuple(found)
    )


def measured(
    commit: str, size_bytes: int, scenario: Scenario, seconds: tuple[float, ...], of: tuple[Layer, ...] = ()
) -> Measurement:
    steps = (
        Step("[builder 4/5] RUN pip install -r requirements.txt", 82.0, False),
        Step("[production 3/6] COPY --from=builder", 9.0, False),
    )
    return Measurement(
        commit,
        TARGET.dockerfile,
        "production",
        scenario,
        Outcome.BUILT,
        WHEN,
        "docker 26.1.5, buildx 0.13.1, local",
        Samples(seconds),
        "sha256:" + commit,
        size_bytes,
        of,
        steps,
    )


BASELINE = (
    measured(BASE, 11_890_123_456, Scenario.COLD, (98.2, 97.0, 101.4), layers(5_840_000_000, 5_839_718_256)),
    measured(BASE, 11_890_123_456, Scenario.WARM, (1.9, 2.0, 2.1)),
    measured(BASE, 11_890_123_456, Scenario.CODE_CHANGE, (31.0, 30.2, 33.1)),
)
AFTER_COPY = (
    measured(COPIED, 6_050_405_200, Scenario.COLD, (60.1, 59.0, 61.8), layers(5_840_000_000, 0)),
    measured(COPIED, 6_050_405_200, Scenario.WARM, (1.8, 2.0, 2.1)),
    measured(COPIED, 6_050_405_200, Scenario.CODE_CHANGE, (2.4, 2.2, 2.9)),
)
AFTER_CLEANUP = measured(CLEANED, 6_050_405_200, Scenario.REBUILD, (3.0,), layers(5_840_000_000, 0))
AFTER_STRIP = measured(STRIPPED, 5_980_000_000, Scenario.REBUILD, (41.0,), layers(5_770_000_000, 0))


def passed(id: str, title: str, seconds: float = 0.2) -> CheckResult:
    return CheckResult(id, title, Verdict.PASSED, seconds=seconds)


GOOD = (
    passed("config", "image config is the same"),
    passed("command", "uvicorn resolves and its shebang exists"),
    passed("import:numpy", "numpy imports", 0.8),
    passed("import:fastapi", "fastapi imports", 0.4),
    passed("metadata", "214 distributions answer importlib.metadata", 1.2),
    passed("elf", "every ELF finds its libraries and is page-aligned", 2.4),
    passed("app", "app.main:app imports", 1.1),
    CheckResult("health", "healthcheck", Verdict.SKIPPED, "the image declares none"),
)
BROKEN_NUMPY = CheckResult(
    "import:numpy",
    "numpy imports",
    Verdict.FAILED,
    'Traceback (most recent call last):\n  File "<string>", line 1, in <module>\n'
    "ImportError: libscipy_openblas64_-56d6093b.so: ELF load command address/offset not page-aligned",
    "numpy no longer loads: libscipy_openblas64_ is misaligned after strip.",
    0.3,
)
BROKEN_ELF = CheckResult(
    "elf",
    "every ELF finds its libraries and is page-aligned",
    Verdict.FAILED,
    "/opt/venv/lib/python3.12/site-packages/numpy.libs/libscipy_openblas64_-56d6093b.so: PT_LOAD 1",
    "4 libraries in numpy.libs and scipy.libs are no longer page-aligned.",
    2.2,
)


def verification(commit: str, results: tuple[CheckResult, ...] = GOOD) -> Verification:
    return Verification(commit, "sha256:" + commit, WHEN, results)


def replaced(*changes: CheckResult) -> tuple[CheckResult, ...]:
    by_id = {change.id: change for change in changes}
    return tuple(by_id.get(result.id, result) for result in GOOD)


ORIGIN = Provenance(BASE, "Nadia Bahr", WHEN, "fix: optimize Dockerfile for smaller images", False)


def evidence(line: int, text: str, origin: Provenance = ORIGIN) -> Evidence:
    return Evidence("backend/Dockerfile", line, text, origin)


COPY_CHOWN = Phase(
    "copy_chown",
    "Give files their owner when they are copied",
    "`chown -R` in a later layer writes every file again. Layer 5 is 5.84 GB and holds the same bytes as layer 3.\n\n"
    "`COPY --chown=` sets the owner in the layer that brings the files.",
    (FileEdit("backend/Dockerfile", BEFORE, CHOWNED),),
    (evidence(12, "RUN chown -R appuser:appuser /app /opt/venv && chmod -R 755 /app"),),
    Risk.SAFE,
    Prediction(-5_839_718_256, "bytes that the census found written twice"),
)
CLEANUP = Phase(
    "effective_cleanup",
    "Clean where the packages are",
    "The clean-up looks in /usr/local, the packages are in /opt/venv.",
    (FileEdit("backend/Dockerfile", CHOWNED, CHOWNED.replace("useradd", "useradd --no-log-init")),),
    (),
    Risk.SAFE,
    Prediction(-12_000_000, "tests below /opt/venv"),
)
STRIP = Phase(
    "strip_symbols",
    "Strip symbols from extension modules",
    "Extension modules carry symbols nobody reads.",
    (
        FileEdit(
            "backend/Dockerfile",
            CHOWNED,
            CHOWNED.replace("RUN python -m compileall -b", "RUN strip --strip-unneeded"),
        ),
    ),
    (),
    Risk.CHECK,
    Prediction(-70_000_000, "symbol sections of 278 files"),
)
COMPILEALL = Phase(
    "drop_compileall",
    "Do not compile bytecode twice",
    "`compileall -b` writes legacy .pyc files beside the sources, which Python ignores while the source exists: "
    "it is pure waste.\n\n"
    "The image sets PYTHONDONTWRITEBYTECODE=1 and bakes bytecode all the same: the two contradict each other.",
    (
        FileEdit(
            "backend/Dockerfile", CHOWNED, CHOWNED.replace("RUN python -m compileall -b /opt/venv\n", "")
        ),
    ),
    (evidence(5, "RUN python -m compileall -b /opt/venv"),),
    Risk.SAFE,
    Prediction(-410_000_000, "legacy bytecode that the census found in /opt/venv"),
    (
        Choice(
            "bytecode",
            "What becomes of the bytecode?",
            (
                Option("none", "none: every start compiles again"),
                Option("pycache", "__pycache__ of everything", 312_000_000),
                Option("app", "__pycache__ of the application only", 1_200_000),
            ),
            frozenset({"app"}),
        ),
    ),
    costs="Without any bytecode the first import takes 2.6 s in place of 0.8 s.",
)
VARIANT = Phase(
    "add_ci_variant",
    "Test with an image of its own",
    "CI builds and scans 9.6 GB of frameworks that no test loads.",
    (
        FileEdit("backend/Dockerfile.ci", None, CHOWNED.replace("requirements.txt", "requirements-ci.txt")),
        FileEdit("backend/requirements-ci.txt", None, "fastapi==0.115.0\nuvicorn==0.30.6\ncelery==5.4.0\n"),
        FileEdit(
            ".github/workflows/ci.yml",
            WORKFLOW,
            WORKFLOW.replace("build -t app .", "build -f backend/Dockerfile.ci -t app ."),
        ),
    ),
    (Evidence(".github/workflows/ci.yml", 8, "- run: docker build -t app .", ORIGIN),),
    Risk.CHECK,
    Prediction(None, "the second image is measured when it is built"),
    (
        Choice(
            "heavy",
            "Which packages stay out of the CI image?",
            (
                Option("torch", "torch 2.4.1", 1_140_000_000),
                Option("triton", "triton 3.0.0", 1_040_000_000),
                Option("scipy", "scipy 1.14.1", 120_000_000),
            ),
            frozenset({"torch", "triton"}),
            multiple=True,
        ),
    ),
    needs=("copy_chown",),
)
WHEELS = Phase(
    "cpu_wheels",
    "Install the CPU build of torch",
    "nvidia and triton are 4.1 GB of the image; no GPU is asked for anywhere.",
    (
        FileEdit(
            "backend/requirements.txt",
            "torch==2.4.1\nfastapi==0.115.0\n",
            "torch==2.4.1+cpu\nfastapi==0.115.0\n",
        ),
    ),
    (),
    Risk.ASK,
    Prediction(-4_100_000_000, "nvidia and triton in the census"),
    excludes=("gpu_base",),
)
PIN = Phase(
    "pin_base",
    "Pin the base image",
    "A moving tag makes two builds of one commit differ.",
    (FileEdit("backend/Dockerfile", CHOWNED, CHOWNED.replace("python:3.12-slim", "python:3.12.7-slim")),),
    (),
    Risk.SAFE,
)

DECLINED = (
    Declined(
        "cache_mounts",
        "pip already has a cache mount",
        (
            evidence(
                4,
                "RUN --mount=type=cache,target=/root/.cache/pip /opt/venv/bin/pip install -r requirements.txt",
            ),
        ),
    ),
    Declined(
        "split_base_builder",
        "builder and runtime are separate already, and the runtime inherits from a clean base",
    ),
)

ROWS = (
    Row(
        "copy_chown",
        COPY_CHOWN.title,
        State.VERIFIED,
        COPY_CHOWN,
        COPIED,
        AFTER_COPY[0],
        Delta.between(BASELINE[0], AFTER_COPY[0]),
        verification(COPIED),
        measurements=AFTER_COPY,
        before=BASELINE,
    ),
    Row(
        "effective_cleanup",
        CLEANUP.title,
        State.VERIFIED,
        CLEANUP,
        CLEANED,
        AFTER_CLEANUP,
        Delta(0, None, 0.0, 0),
        verification(CLEANED),
        before=AFTER_COPY,
    ),
    Row(
        "strip_symbols",
        STRIP.title,
        State.FAILED,
        STRIP,
        STRIPPED,
        AFTER_STRIP,
        Delta(-70_405_200, None, 0.0, 1),
        verification(STRIPPED, replaced(BROKEN_NUMPY, BROKEN_ELF)),
        (BROKEN_NUMPY, BROKEN_ELF),
        before=(AFTER_CLEANUP,),
    ),
    Row("drop_compileall", COMPILEALL.title, State.PROPOSED, COMPILEALL),
    Row(
        "add_ci_variant",
        VARIANT.title,
        State.PROPOSED,
        VARIANT,
        unticked=frozenset({"backend/requirements-ci.txt"}),
    ),
    Row("cpu_wheels", WHEELS.title, State.ASKS, WHEELS),
    Row(
        "pin_base",
        PIN.title,
        State.SKIPPED,
        PIN,
        left_out={"backend/Dockerfile": frozenset({hunks(PIN.edits[0])[0].id})},
    ),
    Row(
        "smaller_base",
        "Start from a smaller base",
        State.ROLLED_BACK,
        replace(PIN, id="smaller_base"),
        refusal="backend/Dockerfile has uncommitted changes",
    ),
)

FLOOR = Floor(
    5_492_000_000,
    5_500_000_000,
    5_980_000_000,
    208_000_000,
    2_400_000,
    (
        Package("nvidia-cublas-cu12", "python", 3_200_000_000, ("torch",)),
        Package("torch", "python", 1_140_000_000),
        Package("triton", "python", 1_040_000_000, ("torch",)),
    ),
    (Asking("cpu_wheels", 1_392_000_000),),
)

LIGHTER = replace(
    measured(STRIPPED, 157_000_000, Scenario.REBUILD, (16.0,)), dockerfile="backend/Dockerfile.ci", stage="ci"
)
WITH_VARIANT = Row(
    "add_ci_variant",
    VARIANT.title,
    State.VERIFIED,
    replace(VARIANT, predicted=Prediction(0, "The image that is deployed does not change.")),
    STRIPPED,
    replace(AFTER_STRIP, image_bytes=357_000_000),
    Delta(0, None, 0.0, 0),
    verification(STRIPPED),
    before=(replace(AFTER_STRIP, image_bytes=357_000_000),),
    variant=LIGHTER,
)
"""A phase whose point is another image."""

SLOWER = Row(
    "drop_compileall",
    COMPILEALL.title,
    State.VERIFIED,
    COMPILEALL,
    CLEANED,
    AFTER_CLEANUP,
    Delta(-410_000_000, None, 0.0, 1),
    verification(CLEANED),
    before=AFTER_COPY,
    start_up=StartUp("app.main:app", Samples((0.8, 0.78, 0.84)), Samples((2.6, 2.5, 2.7))),
)
"""A phase with a price at start-up."""

MIDWAY = Status(
    "bahr",
    "/srv/bahr",
    "docker-diet",
    STRIPPED,
    TARGET,
    (TARGET, OTHER),
    BASE,
    ROWS,
    DECLINED,
    BASELINE[0],
    verification(BASE),
    AFTER_STRIP,
    baseline_measurements=BASELINE,
    floor=FLOOR,
    branch_decided=True,
)
"""Three phases applied, the last of them broken; everything else still open."""

START = replace(
    MIDWAY,
    branch="main",
    head=BASE,
    rows=tuple(
        Row(phase.id, phase.title, State.ASKS if phase.risk is Risk.ASK else State.PROPOSED, phase)
        for phase in (COPY_CHOWN, COMPILEALL, VARIANT, WHEELS)
    ),
    current_measurement=BASELINE[0],
    floor=replace(FLOOR, now_bytes=11_890_123_456, image_bytes=5_640_405_200, planned_bytes=5_640_405_200),
    branch_decided=False,
)
"""Nothing applied, the baseline measured."""

FRESH = replace(
    START,
    baseline_measurement=None,
    baseline_measurements=(),
    baseline_verification=None,
    current_measurement=None,
    floor=None,
)
"""Opened for the first time."""

CENSUS = Census(
    11_890_123_456,
    layers(5_840_000_000, 5_839_718_256),
    6_050_405_200,
    (
        Distribution("nvidia-cublas-cu12", "12.1.3", "/opt/venv/lib/python3.12/site-packages", 3_200_000_000),
        Distribution("torch", "2.4.1", "/opt/venv/lib/python3.12/site-packages", 1_140_000_000),
        Distribution("triton", "3.0.0", "/opt/venv/lib/python3.12/site-packages", 1_040_000_000),
    ),
    {"gcc": 161_000_000, "libc6": 13_000_000},
    bytecode_bytes={"/opt/venv": 110_000_000},
    legacy_bytecode_bytes={"/opt/venv": 410_000_000},
    test_bytes={"/opt/venv": 1_000_000},
    header_bytes={"/opt/venv": 81_000_000},
    static_library_bytes={"/opt/venv": 180_000_000},
    strippable_bytes={"/opt/venv": 70_000_000},
    users={"appuser": 1000},
    duplicated_bytes=5_839_718_256,
)

HISTORY = (
    HistoryEntry(
        STRIPPED, "Nadia Bahr", WHEN, "strip_symbols: Strip symbols from extension modules", 5_980_000_000
    ),
    HistoryEntry(COPIED, "Nadia Bahr", WHEN, "copy_chown: Give files their owner when they are copied"),
    HistoryEntry(BASE, "Nadia Bahr", WHEN, "fix: optimize Dockerfile for smaller images", 11_890_123_456),
    HistoryEntry("11ce77a" + "4" * 33, "R. Ops", WHEN, "fix: try again"),
)
