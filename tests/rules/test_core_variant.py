"""The core target: what is left out how, what speaks against it, and that the full target stays as it is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from asking import Asking, repository

from phasewise.model.census import Census, Distribution, Script
from phasewise.model.phase import Phase
from phasewise.model.repo import RepoView
from phasewise.rules.core_variant import _CODE, _ONE_STAGE, _PYPROJECT, _TWO_STAGES, CHOICE, CoreVariant

RULE = CoreVariant()
LIST = "fastapi==0.121.2\nsentence_transformers==3.0.1\ntorch==2.3.1\ntorchmetrics==1.4.0\n"


def view(text: str = _ONE_STAGE, census: Census | None = None, **files: str) -> RepoView:
    texts = {**_CODE, "Dockerfile": text, "requirements.txt": LIST, "pyproject.toml": _PYPROJECT}
    texts |= {name.replace("__", "/").replace("_DOT_", "."): each for name, each in files.items()}
    return repository(texts, census)


reason = Asking(RULE, view).reason


def after(seen: RepoView, picked: frozenset[str] = frozenset()) -> str:
    answer = RULE.propose(seen, {CHOICE: picked})
    assert isinstance(answer, Phase), answer
    return seen.with_edits(answer.edits).files["Dockerfile"]


def core(seen: RepoView, picked: frozenset[str] = frozenset()) -> str:
    """The lines of the core's own stages."""
    stages = re.split(r"^FROM ", after(seen, picked), flags=re.M)
    return "".join(stage for stage in stages if " AS core" in stage.split("\n")[0])


def test_the_filter_takes_just_those_requirements(tmp_path: Path) -> None:
    text = core(view(), frozenset({"torch", "sentence-transformers"}))
    (pattern,) = re.findall(r"grep -viE '([^']+)'", text)
    lines = [
        "Torch [x] >=2",
        "torch",
        "torch;python_version>'3'",
        "torch-extra",
        "torchvision==1",
        "a",
        "# torch",
    ]
    lines += ["Sentence.Transformers~=3", "sentence-transformers-x", "torch==2"]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    command = ["grep", "-viE", pattern, str(tmp_path / "list.txt")]
    kept = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
    assert kept == ["torch-extra", "torchvision==1", "a", "# torch", "sentence-transformers-x"]


def test_the_user_picks_what_to_leave_out() -> None:
    assert "^(sentence[-_.]transformers)(" in core(view(), frozenset({"sentence-transformers"}))
    # Alone, torch would be installed all the same, for sentence-transformers.
    assert "^(sentence[-_.]transformers|torch)(" in core(view(), frozenset({"torch"}))
    census = Census(
        1,
        (),
        1,
        distributions=(
            Distribution("fastapi", "1", "/s", 1, ("fastapi",)),
            Distribution("torch", "1", "/s", 100_000_000, ("torch",)),
            Distribution("xgboost", "1", "/s", 100_000_000, ("xgboost",)),
        ),
    )
    seen = view(_ONE_STAGE, census, requirements_DOT_txt="fastapi\ntorch\nxgboost\n")
    assert "^(torch|xgboost)(" in core(seen)
    assert "^(xgboost)(" in core(seen, frozenset({"xgboost"}))


def test_what_it_includes_is_found_from_beside() -> None:
    text = core(view(requirements_DOT_txt="-c c.txt\nfastapi\ntorch\n", c_DOT_txt="torch==2\n"))
    assert "requirements.txt > requirements-core.txt" in text
    assert "-r requirements-core.txt" in text


def test_packages_named_in_commands() -> None:
    text = "FROM a\nRUN x\nRUN pip install fastapi torch==2.3.1 && echo ok\nRUN pip install torchvision\nCOPY . .\n"
    assert core(view(text)).split("\n")[1:3] == ["RUN pip install fastapi && echo ok", "COPY . ."]


def test_every_extra_of_uv() -> None:
    text = (
        'FROM a\nWORKDIR /app\nCOPY . .\nRUN uv sync --all-extras --frozen\nCMD ["uvicorn", "app.main:app"]\n'
    )
    assert "RUN uv sync --all-extras --no-extra ml --frozen\n" in core(view(text))
    one = text.replace("--all-extras", "--extra=ml")
    assert "RUN uv sync --frozen\n" in core(view(one))


def test_what_an_extra_brings_besides_must_not_be_imported_at_the_start() -> None:
    both = _PYPROJECT.replace('ml = ["', 'ml = ["pillow", "').replace("fastapi==0.121.2", "fastapi")
    assert 'RUN pip install ".[api]"' in core(view(_TWO_STAGES, pyproject_DOT_toml=both))
    seen = view(
        _TWO_STAGES,
        pyproject_DOT_toml=both.replace("pillow", "requests"),
        app__main_DOT_py="import requests\n",
    )
    assert "app/main.py:1 imports requests, which the extra brings in, too" in reason(seen)


@pytest.mark.parametrize(
    ("text", "files", "said"),
    [
        (_ONE_STAGE, {"requirements_DOT_txt": "torch==2.3.1\n"}, "would be empty"),
        (
            _ONE_STAGE,
            {"requirements_DOT_txt": "a\ntorch==2.3.1 \\\n  --hash=sha256:0a\n"},
            "requirements.txt:2 goes on in the next line",
        ),
        (
            _ONE_STAGE,
            {"requirements_DOT_txt": "a\n-r ml.txt\n", "ml_DOT_txt": "torch==2.3.1\n"},
            "requirements.txt includes ml.txt, which asks for torch",
        ),
        (
            _ONE_STAGE.replace("COPY app", "COPY get.py .\nRUN python get.py\nCOPY app"),
            {"get_DOT_py": "import torch\n"},
            "line 8 runs get.py, which imports torch",
        ),
        (
            _TWO_STAGES,
            {"app__main_DOT_py": "import sentence_transformers\n"},
            "app/main.py:1 whenever that starts",
        ),
    ],
)
def test_says_why_not(text: str, files: dict[str, str], said: str) -> None:
    assert said in reason(view(text, **files))


def test_a_command_of_what_is_left_out() -> None:
    text = _ONE_STAGE.replace("COPY app", "RUN torchrun --help\nCOPY app")
    found = (Distribution("torch", "1", "/s", 100_000_000, ("torch",)), Distribution("fastapi", "1", "/s", 1))
    census = Census(1, (), 1, found, scripts=(Script("/usr/local/bin/torchrun", "", "torch"),))
    seen = view(text, census, requirements_DOT_txt="fastapi\ntorch\n", app__model_DOT_py="")
    assert "line 7 runs torchrun of torch" in reason(seen)
