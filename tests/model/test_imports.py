"""What an application imports when it starts, and what only when it needs it."""

import ast
from textwrap import dedent

import pytest

from phasewise.model.ci.check_requirements_ci import at_import, local_files
from phasewise.model.python.imports import Use, anywhere, at_start, imported_by_code


def modules(code: str) -> list[str]:
    return [module for _, module in at_import(ast.parse(dedent(code)).body)]


@pytest.mark.parametrize(
    "code",
    [
        "def f():\n    import torch\n",
        "async def f():\n    import torch\n",
        "f = lambda: __import__('torch')\n",
        "try:\n    import torch\nexcept ImportError:\n    torch = None\n",
        "try:\n    import torch\nexcept ModuleNotFoundError as e:\n    pass\n",
        "try:\n    import torch\nexcept (AttributeError, ImportError):\n    pass\n",
        "try:\n    import torch\nexcept Exception:\n    pass\n",
        "try:\n    import torch\nexcept:\n    pass\n",
        "try:\n    pass\nexcept ImportError:\n    pass\nelse:\n    import torch\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\n",
        "import typing as t\nif t.TYPE_CHECKING:\n    import torch\n",
        "if HAS_TORCH:\n    import torch\n",
        "if __name__ == '__main__':\n    import torch\n",
        "import contextlib\nwith contextlib.suppress(ImportError):\n    import torch\n",
        "class A:\n    def f(self):\n        import torch\n",
        "import pytest\ntorch = pytest.importorskip('torch')\nimport torch.nn\n",
    ],
)
def test_guarded_imports_do_not_count(code: str) -> None:
    assert not [module for module in modules(code) if module.startswith("torch")]


@pytest.mark.parametrize(
    "code",
    [
        "import torch\n",
        "import os, torch.nn as nn\n",
        "from torch import nn\n",
        "class A:\n    import torch\n",
        "with open('x'):\n    import torch\n",
        "for x in y:\n    import torch\n",
        "try:\n    import torch\nfinally:\n    pass\n",
        "try:\n    import torch\nexcept ValueError:\n    pass\n",
        "try:\n    import json\nexcept ImportError:\n    import torch\n",
        "if TYPE_CHECKING:\n    pass\nelse:\n    import torch\n",
        "def f():\n    pass\nimport torch\n",
    ],
)
def test_what_runs_at_import_counts(code: str) -> None:
    assert [module for module in modules(code) if module.partition(".")[0] == "torch"]


PATHS = {
    "src/app/__init__.py",
    "src/app/main.py",
    "src/app/ml/__init__.py",
    "src/app/ml/model.py",
    "tests/test_main.py",
    "tests/helpers.py",
    "plain.py",
}


@pytest.mark.parametrize(
    ("module", "importer", "files"),
    [
        ("app.main", "tests/test_main.py", ["src/app/__init__.py", "src/app/main.py"]),
        ("helpers", "tests/test_main.py", ["tests/helpers.py"]),
        (".ml.model", "src/app/main.py", ["src/app/ml/__init__.py", "src/app/ml/model.py"]),
        ("..main", "src/app/ml/model.py", ["src/app/main.py"]),
        (".model", "src/app/ml/__init__.py", ["src/app/ml/model.py"]),
        ("plain", "src/app/main.py", ["plain.py"]),
        ("torch", "src/app/main.py", []),
        ("....main", "src/app/main.py", []),
    ],
)
def test_own_modules_are_found(module: str, importer: str, files: list[str]) -> None:
    assert local_files(module, importer, PATHS) == files


FILES = {
    "app/__init__.py": "import logging\n",
    "app/main.py": "from fastapi import FastAPI\nfrom app import routes\n",
    "app/routes.py": "from .models import predict\n",
    "app/models.py": "import numpy as np\n\n\ndef predict():\n    import torch\n",
    "app/train.py": "import torch\nimport app.main\n",
    "app/broken.py": "def (\n",
    "tests/test_main.py": "from app.main import app\nimport httpx\n",
}


def test_follows_the_modules_from_the_start() -> None:
    found = at_start(["app/main.py"], set(FILES), FILES.__getitem__)
    assert found["numpy"] == Use("app/models.py", 1, "numpy")
    assert found["logging"].path == "app/__init__.py"
    assert "torch" not in found
    assert "httpx" not in found


def test_a_folder_as_start_means_all_files_in_it() -> None:
    assert at_start(["tests"], set(FILES), FILES.__getitem__)["numpy"].path == "app/models.py"
    assert at_start(["app"], set(FILES), FILES.__getitem__)["torch"].path == "app/train.py"
    assert not at_start([], set(FILES), FILES.__getitem__)


def test_anywhere_finds_lazy_imports_too() -> None:
    found = anywhere({"torch", "httpx", "scipy"}, set(FILES) | {"notes.txt"}, FILES.__getitem__)
    assert found["torch"] == Use("app/models.py", 5, "torch")
    assert found["httpx"].path == "tests/test_main.py"
    assert "scipy" not in found


def test_code_of_a_command() -> None:
    assert imported_by_code("import torch.nn; from os import path") == {"torch", "os"}
    assert imported_by_code("import (") == frozenset()
