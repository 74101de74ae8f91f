"""Where a repository shows that it runs on an NVIDIA GPU."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from phasewise.model.builds.compose import is_compose
from phasewise.model.builds.yaml_edit import YamlRefusal, compose, node_at
from phasewise.model.python.requirements import Listed
from phasewise.model.repo import RepoView

_IMAGE = re.compile(r"nvidia|cuda|tensorrt", re.I)
_IN_DOCKERFILE = re.compile(
    r"\bNVIDIA_(VISIBLE_DEVICES|DRIVER_CAPABILITIES)\b|/whl/cu\d+|\+cu\d+\b|cuda-toolkit"
)
_IN_SERVICE = re.compile(
    r"\bruntime:\s*[\"']?nvidia|\bdriver:\s*[\"']?nvidia|^\s*gpus:|\bNVIDIA_VISIBLE_DEVICES\b", re.M
)
_ANYWHERE = re.compile(r"nvidia\.com/gpu|\bdocker run\b.*--gpus\b|--runtime[= ]nvidia")
_DEPLOYING = (".yml", ".yaml", ".sh", "Makefile", "justfile")
_CUDA = re.compile(r"cuda(:\d+)?")
_PACKAGES = re.compile(
    r"cupy(-.*)?|cudf(-.*)?|cuml(-.*)?|faiss-gpu(-.*)?|onnxruntime-gpu|tensorflow-gpu|tensorrt(-.*)?|flash-attn|vllm"
    r"|xformers|deepspeed|bitsandbytes|auto-gptq|nvidia-dali.*|pycuda"
)
_ASIDE = frozenset({"test", "tests", "docs", "examples", "notebooks", "benchmarks"})


def gpu_use(view: RepoView, asked: Iterable[Listed]) -> tuple[str, int] | None:
    """The first file and 1-based line that show that the target uses a GPU; None when nothing does.

    Code that falls back to the CPU, `"cuda" if torch.cuda.is_available() else "cpu"`, shows nothing. `asked`
    are the target's requirements.
    """
    return next(
        (
            use
            for found in (
                _dockerfile(view),
                _requirements(asked),
                _services(view),
                _deploying(view),
                _code(view),
            )
            for use in found
        ),
        None,
    )


def _dockerfile(view: RepoView) -> Iterator[tuple[str, int]]:
    dockerfile = view.dockerfile
    for index in sorted(dockerfile.needed_by(view.stage)):
        stage = dockerfile.stages[index]
        start = stage.instructions[0]
        if stage.base_stage is None and _IMAGE.search(dockerfile.expand(stage.base, start) or stage.base):
            yield dockerfile.path, start.line
        for instruction in stage.instructions:
            if match := _IN_DOCKERFILE.search(dockerfile.text, instruction.span.start, instruction.span.end):
                yield dockerfile.path, dockerfile.line_of(match.start())


def _requirements(asked: Iterable[Listed]) -> Iterator[tuple[str, int]]:
    for each in asked:
        local = re.search(r"\+cu\d+", each.text)
        extras = each.parsed.extras if each.parsed else set()
        if local or _PACKAGES.fullmatch(each.name) or "and-cuda" in extras:
            yield each.path, each.line


def _services(view: RepoView) -> Iterator[tuple[str, int]]:
    """The compose services that build this Dockerfile, with a GPU."""
    for build in view.builds_of(view.target.dockerfile):
        if not is_compose(build.path):
            continue
        text = view.files[build.path]
        try:
            node = node_at(compose(text), build.where)
        except YamlRefusal:
            continue
        if match := _IN_SERVICE.search(text, node.start_mark.index, node.end_mark.index):
            yield build.path, text.count("\n", 0, match.start()) + 1


def _deploying(view: RepoView) -> Iterator[tuple[str, int]]:
    for path in sorted(path for path in view.paths if path.endswith(_DEPLOYING)):
        text = view.files.get(path, "")
        if match := _ANYWHERE.search(text):
            yield path, text.count("\n", 0, match.start()) + 1


def _code(view: RepoView) -> Iterator[tuple[str, int]]:
    folder = "" if view.target.context == "." else f"{view.target.context}/"
    for path in sorted(path for path in view.paths if path.endswith(".py") and path.startswith(folder)):
        if not _ASIDE.intersection(path.split("/")):
            text = view.files.get(path, "")
            yield from ((path, line) for line in (_lines(text) if "cuda" in text else ()))


@lru_cache(maxsize=1024)
def _lines(text: str) -> tuple[int, ...]:
    try:
        return tuple(_insisting(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError):
        return ()


def _insisting(node: ast.AST) -> Iterator[int]:
    """The lines that ask for CUDA whether it is there or not."""
    if isinstance(node, (ast.If, ast.IfExp, ast.BoolOp)) and _has_a_way_out(node):
        return
    if isinstance(node, ast.Compare):
        return
    if isinstance(node, (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Subscript)) and _names_cpu(node):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CUDA.fullmatch(node.value):
        yield node.lineno
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "cuda":
        yield node.lineno
    for child in ast.iter_child_nodes(node):
        yield from _insisting(child)


def _has_a_way_out(node: ast.AST) -> bool:
    """A branch that is taken where there is no GPU."""
    test = node.test if isinstance(node, (ast.If, ast.IfExp)) else node
    return "is_available" in ast.dump(test) or (isinstance(node, ast.IfExp) and _names_cpu(node))


def _names_cpu(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Constant) and each.value == "cpu" for each in ast.walk(node))
