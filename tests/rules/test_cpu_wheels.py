"""CPU builds of PyTorch: where they go, what is said instead, and what counts as the use of a GPU."""

from __future__ import annotations

import pytest
from asking import Asking, repository
from msgspec.structs import replace

from phasewise.model.census import Census, Distribution
from phasewise.model.phase import Phase
from phasewise.model.python.gpu import gpu_use
from phasewise.model.python.requirement_lines import without_lines
from phasewise.model.python.torch_builds import CPU_INDEX, for_gpus_only
from phasewise.model.repo import BuildReference, Purpose, RepoView, Target
from phasewise.rules.cpu_wheels import CpuWheels

RULE = CpuWheels()
TORCH = "torch==2.3.1\n"
FILE = "FROM python:3.11-slim\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"


def view(text: str = FILE, census: Census | None = None, requirements: str = TORCH) -> RepoView:
    texts = {"Dockerfile": text, "requirements.txt": requirements}
    return repository(texts, census)


ask = Asking(RULE, view)
after, reason = ask.after, ask.reason


def census(*distributions: tuple[str, str, tuple[str, ...]]) -> Census:
    found = tuple(
        Distribution(name, version, "/s", 1_000, requires=needs) for name, version, needs in distributions
    )
    return Census(1, (), 1, distributions=found)


def test_the_same_installer_with_the_same_options_but_for_what_wheels_do_not_take() -> None:
    seen = view(
        FILE.replace(
            "pip install -r",
            "--mount=type=cache,target=/root/.cache python -m pip install -q --timeout 60 -c c.txt -U --user -r",
        )
    )
    line = f"python -m pip install -q --timeout 60 --user --no-deps --index-url {CPU_INDEX} torch==2.3.1 \\\n    && "
    assert f"--mount=type=cache,target=/root/.cache {line}python -m pip install" in after(seen)


def test_each_environment_gets_it_once() -> None:
    text = (
        "FROM python:3.11-slim AS base\nRUN pip install torch==2.3.1\n"
        "FROM base AS builder\nRUN pip install accelerate\n"
        "RUN /opt/a/bin/pip install torch==2.3.1\nFROM python:3.11-slim AS other\nRUN pip install torch==2.3.1\n"
        "FROM builder\nRUN pip install peft\n"
    )
    assert [line[:25] for line in after(view(text)).split("\n") if "--index-url" in line] == [
        "RUN pip install --no-deps",
        "RUN /opt/a/bin/pip instal",
    ]


def test_line_ends_and_heredocs_stay() -> None:
    text = after(view(FILE.replace("\n", "\r\n")))
    assert text.count("\n") == text.count("\r\n")
    heredoc = "FROM python:3.11-slim\nRUN <<EOF\nset -e\npip install torch==2.3.1\nEOF\n"
    assert (
        f"(pip install --no-deps --index-url {CPU_INDEX} torch==2.3.1 \\\n    && pip install torch==2.3.1)\n"
        in (after(view(heredoc)))
    )


def test_what_torchvision_was_installed_with_torch_comes_from_the_same_index() -> None:
    found = census(
        ("torch", "2.3.1", ()),
        ("torchvision", "0.18.1", ("torch",)),
        ("timm", "1.0", ("torch", "torchvision")),
    )
    seen = view(census=found, requirements="timm\n")
    assert "torch==2.3.1 torchvision==0.18.1 \\\n" in after(seen)


@pytest.mark.parametrize(
    ("text", "requirements", "said"),
    [
        (FILE.replace("-r", "--prefix=/install -r"), TORCH, "one virtual environment would do"),
        (FILE.replace("-r", "--index-url https://wheels.example/simple -r"), TORCH, "an index of its own"),
        (FILE.replace("-r", "--force-reinstall -r"), TORCH, "installs again"),
        (FILE.replace("-r", "-U -r"), "torch>=2\nidna\n", "pins torch to one version"),
        (
            FILE.replace("FROM python:3.11-slim\n", "FROM python:3.11-slim\nARG PIP_INDEX_URL\n"),
            TORCH,
            "PIP_INDEX_URL",
        ),
        (FILE.replace("COPY r", "COPY pip.conf /etc/\nCOPY r"), TORCH, "Dockerfile:2 brings settings"),
        (
            FILE.replace("pip install -r requirements.txt", '["pip", "install", "torch==2.3.1"]'),
            TORCH,
            "exec form",
        ),
        (FILE, "torch @ https://wheels.example/torch-2.3.1-py3-none-any.whl\n", "address of a wheel"),
        (FILE, "torch==2.3.1+cpu\n", "names the CPU builds already"),
        (FILE, "torch==2.3.1+cu121\n", "requirements.txt:1 uses a GPU"),
        (FILE, "torch==2.3.1\nvllm==0.5\n", "requirements.txt:2 uses a GPU"),
        (FILE, "torch==2.3.1\nnvidia-cudnn-cu12==8.9\n", "whether only torch needs it"),
        (FILE, "torch==2.3.1\n-r other.txt\n", "other.txt"),
    ],
)
def test_says_why_not(text: str, requirements: str, said: str) -> None:
    assert said in reason(view(text, requirements=requirements))


def test_an_upgrade_of_everything_would_replace_it() -> None:
    installed = census(("torch", "2.3.1", ()), ("accelerate", "1.2", ("torch",)))
    for command, kept in (("pip", True), ("uv pip", False)):
        text = f"FROM python:3.11-slim\nRUN {command} install -U accelerate\n"
        answer = RULE.propose(view(text, installed), {})
        assert isinstance(answer, Phase) is kept


def test_an_index_that_is_named_and_does_not_help_is_pointed_at() -> None:
    installed = census(("torch", "2.9.1", ("nvidia-x-cu12",)), ("nvidia-x-cu12", "1", ()))
    seen = view(census=installed, requirements=f"--extra-index-url {CPU_INDEX}\ntorch\n")
    assert "requirements.txt:1 names the CPU builds, and yet the image has torch 2.9.1 with CUDA" in reason(
        seen
    )


def test_only_what_cuda_builds_need_goes() -> None:
    found = census(
        ("torch", "2.3.1", ("nvidia-cudnn-cu12", "nvidia-nccl-cu12", "triton", "filelock")),
        ("nvidia-cudnn-cu12", "1", ("nvidia-cublas-cu12",)),
        ("nvidia-cublas-cu12", "1", ()),
        ("nvidia-nccl-cu12", "1", ()),
        ("nvidia-ml-py", "1", ()),
        ("triton", "1", ("setuptools",)),
        ("filelock", "1", ()),
        ("xgboost", "1", ("nvidia-nccl-cu12",)),
        ("accelerate", "1", ("torch",)),
    )
    assert for_gpus_only(found) == {"nvidia-cudnn-cu12", "nvidia-cublas-cu12", "triton"}


def test_the_comments_below_a_requirement_go_with_it() -> None:
    text = "a==1\r\nb==2 ; python_version > '3' \\\r\n  --global-option=x\r\n    # via c\r\n# mine\r\n"
    text += "c==3\r\n    # via d"
    assert without_lines(text, {2}) == "a==1\r\n# mine\r\nc==3\r\n    # via d"
    assert without_lines(text, {6}) == text.partition("c==3")[0]


@pytest.mark.parametrize(
    ("lock", "tool", "said"),
    [
        ("uv.lock", "uv sync --locked", "run `uv lock`"),
        ("poetry.lock", "poetry install --no-root", "`poetry add --source pytorch-cpu torch==2.3.1`"),
    ],
)
def test_a_lock_file_is_left_to_its_tool(lock: str, tool: str, said: str) -> None:
    files = {
        "Dockerfile": f"FROM python:3.11-slim\nCOPY . .\nRUN {tool}\n",
        "pyproject.toml": '[project]\nname = "a"\ndependencies = ["sentence-transformers"]\n',
        lock: '[[package]]\nname = "torch"\nversion = "2.3.1"\n',
    }
    said_here = reason(repository(files))
    assert said in said_here
    assert CPU_INDEX in said_here
    assert lock in said_here


def test_a_lock_without_pytorch_says_nothing_of_hashes() -> None:
    files = {
        "Dockerfile": "FROM python:3.11-slim\nCOPY . .\nRUN uv sync --locked\n",
        "pyproject.toml": '[project]\nname = "a"\ndependencies = ["torch"]\n',
        "uv.lock": '[[package]]\nname = "idna"\nversion = "3"\n',
    }
    assert "uv.lock holds no PyTorch" in reason(repository(files))


@pytest.mark.parametrize(
    ("code", "uses"),
    [
        ('device = "cuda" if torch.cuda.is_available() else "cpu"', False),
        ("if torch.cuda.is_available():\n    model.cuda()", False),
        ('device = torch.cuda.is_available() and "cuda" or "cpu"', False),
        ('DEVICES = ["cpu", "cuda"]', False),
        ('if device == "cuda":\n    pass', False),
        ('"""Runs on cuda."""', False),
        ("model = net.cuda()", True),
        ('model.to("cuda:0")', True),
        ('device = torch.device("cuda")', True),
        ('DEVICE = os.environ.get("DEVICE", "cuda")', True),
    ],
)
def test_code_that_falls_back_to_the_cpu_uses_no_gpu(code: str, uses: bool) -> None:
    files = {"Dockerfile": FILE, "app/model.py": code, "tests/test_gpu.py": "x.cuda()"}
    seen = repository(files)
    assert gpu_use(seen, ()) == (("app/model.py", 1) if uses else None)


def test_a_gpu_where_the_image_runs() -> None:
    compose = "services:\n  api:\n    build: .\n    runtime: nvidia\n  other:\n    image: x\n"
    build = BuildReference("compose.yml", 3, "", "Dockerfile", ".", None, Purpose.UNKNOWN, "services.api")
    files = {"Dockerfile": FILE, "compose.yml": compose}
    seen = RepoView(Target("Dockerfile"), files, frozenset(files), builds=(build,))
    assert gpu_use(seen, ()) == ("compose.yml", 4)
    elsewhere = replace(seen, builds=(replace(build, where="services.other"),))
    assert gpu_use(elsewhere, ()) is None
    files = {"Dockerfile": FILE, "deploy/k8s.yaml": "limits:\n  nvidia.com/gpu: 1\n"}
    assert gpu_use(repository(files), ()) == ("deploy/k8s.yaml", 2)
    based = {"Dockerfile": "FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04\nRUN pip install torch==2.3.1\n"}
    assert gpu_use(repository(based), ()) == ("Dockerfile", 1)
