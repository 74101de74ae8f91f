"""Keeps the requirements of the CI image equal to production's, but for what they leave out on purpose.

    python3 ci/check_requirements_ci.py requirements-ci.txt            fails when it drifted from production
    python3 ci/check_requirements_ci.py --write requirements-ci.txt    makes it anew

It also fails when the application or its tests import something that was left out, unless the import is
inside a function, under an `if`, or in a `try` that catches ImportError; and when production's Dockerfile has
changed since the one for CI was made from it: make the same change there, then --write takes note of it.
The settings are the first comments of the requirements file; every path is relative to the repository's
root, one folder above this.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import posixpath
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

Read = Callable[[str], str]
SKIPPED = {".git", ".tox", ".venv", "node_modules", "site-packages", "venv"}


def settings(text: str) -> dict[str, list[str]]:
    """The words behind each `#   name: ...` of the comments at the top."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^#   ([a-z ]+): (.*)$", text, re.M):
        found.setdefault(name, []).extend(value.split())
    return found


def normal(name: str) -> str:
    """The name of a package as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def fingerprint(text: str) -> str:
    """What tells a Dockerfile from a later one; comments and blank lines do not count."""
    lines = (line.strip() for line in text.lstrip("\ufeff").splitlines())
    kept = "\n".join(line for line in lines if line and not line.startswith("#"))
    return hashlib.sha256(kept.encode()).hexdigest()[:16]


def package(line: str) -> str:
    """The normal name of the package that a requirement asks for; empty for an option or a folder."""
    if "://" in line.partition(" @ ")[0]:
        found = re.search(r"[#&]egg=([\w.-]+)|/([\w.]+)-\d[^/]*\.(?:whl|zip|tar\.gz)", line)
    else:
        found = re.match(r"([A-Za-z0-9][\w.-]*)(?![\w./-])", line)
    return normal(next(filter(None, found.groups()))) if found else ""


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines as pip reads them, numbered: continuations joined, comments and blank lines gone."""
    parts: list[str] = []
    lines = text.lstrip("\ufeff").splitlines()
    for number, line in enumerate(lines, 1):
        comment = line.lstrip().startswith("#")
        parts.append(line.rstrip("\\") if not comment else "")
        if comment or not line.endswith("\\") or number == len(lines):
            whole = " ".join(re.sub(r"(^|\s)#.*", "", " ".join(parts)).split())
            if whole:
                yield number - len(parts) + 1, whole.replace(" --hash=", " \\\n    --hash=")
            parts = []


def production(source: str, read: Read, folder: str) -> Iterator[tuple[str, int, str]]:
    """What production installs from `source`, as (file, line, requirement); included files stand in place.

    `pyproject.toml[extra,other]` stands for a project with extras. Constraints are relative to `folder`.
    """
    path, _, extras = source.rstrip("]").partition("[")
    text = read(path)
    if path.endswith(".toml"):
        import tomllib

        for line in dict.fromkeys(of_project(tomllib.loads(text)["project"], ["", *extras.split(",")])):
            yield path, text[: max(text.find(line), 0)].count("\n") + 1, line
        return
    for number, line in logical_lines(text):
        option = re.match(r"(-r|--requirement|-c|--constraint)[ =]*([^:]+)$", line)
        if not option:
            yield path, number, line
            continue
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), option[2]))
        if option[1] in ("-r", "--requirement"):
            yield from production(target, read, folder)
        else:
            yield path, number, f"-c {posixpath.relpath(target, folder or '.')}"


def of_project(project: dict[str, Any], extras: Iterable[str]) -> Iterator[str]:
    """The requirements of a `[project]` table with some extras; the extra '' stands for its dependencies."""
    groups = {normal(name): lines for name, lines in project.get("optional-dependencies", {}).items()}
    groups[""] = project.get("dependencies", [])
    for line in (line for extra in extras for line in groups.get(normal(extra.strip()), [])):
        own = re.match(r"([\w.-]+)\s*\[(.*)\]", line)
        if own and normal(own[1]) == normal(project["name"]):
            yield from of_project(project, own[2].split(","))
        else:
            yield line


def generate(path: str, text: str, read: Read) -> str:
    """What the requirements file should read, given `text`, which it reads now and whose settings it keeps.

    A pin that stands for an open production requirement (`x==1.2  # production: x>=1`) stays as long as
    production's line does.
    """
    chosen = settings(text)
    header = re.match(r"(?:#.*\n)*", text)
    left_out = set(map(normal, chosen.get("left out", [])))
    pins = {line: pin for pin, line in re.findall(r"^(.+?)  # production: (.+)$", text, re.M)}
    folder = posixpath.dirname(path)
    lines = [line for source in chosen["production"] for _, _, line in production(source, read, folder)]
    kept = dict.fromkeys(line for line in lines if package(line) not in left_out)
    body = [f"{pins[line]}  # production: {line}" if line in pins else line for line in kept]
    return "".join(f"{line}\n" for line in [*(header[0] if header else "").splitlines(), *body])


def at_import(body: Iterable[ast.stmt]) -> Iterator[tuple[int, str]]:
    """(line, module) of each import that runs, with nothing to catch it, when the statements run."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (f"{node.module}." if node.module else "")
            yield from ((node.lineno, base + alias.name) for alias in node.names)
        elif isinstance(node, ast.If):
            yield from at_import(node.orelse if "TYPE_CHECKING" in ast.dump(node.test) else [])
        elif isinstance(node, ast.Try):
            caught = " ".join(
                ast.dump(handler.type) if handler.type else "Exception" for handler in node.handlers
            )
            guarded = re.search(r"'(ImportError|ModuleNotFoundError|Exception)'|^Exception", caught)
            tried = [] if guarded else [*node.body, *node.orelse]
            yield from at_import(
                [*tried, *(line for each in node.handlers for line in each.body), *node.finalbody]
            )
        elif isinstance(node, (ast.Expr, ast.Assign)) and "importorskip" in ast.dump(node):
            return
        elif isinstance(node, (ast.With, ast.ClassDef, ast.For, ast.While)):
            suppressed = isinstance(node, ast.With) and "ImportError" in "".join(map(ast.dump, node.items))
            yield from at_import([] if suppressed else node.body)


@lru_cache(maxsize=4096)
def imports_of(text: str) -> tuple[tuple[int, str], ...]:
    """(line, module) of each import that runs when a file is imported; none when it is not Python."""
    try:
        return tuple(at_import(ast.parse(text).body))
    except (SyntaxError, ValueError):
        return ()


def local_files(module: str, importer: str, paths: Collection[str]) -> list[str]:
    """The files of the repository that run when `importer` imports `module`; none for a package."""
    name = module.lstrip(".")
    above = [str(folder) for folder in PurePosixPath(importer).parents]
    folders = (
        above[len(module) - len(name) - 1 :][:1]
        if module != name
        else [f for a in above for f in (a, f"{a}/src")]
    )
    parts = name.split(".")
    for folder in folders:
        stems = [posixpath.normpath(posixpath.join(folder, *parts[:n])) for n in range(1, len(parts) + 1)]
        files = [file for stem in stems for file in (f"{stem}.py", f"{stem}/__init__.py") if file in paths]
        if files:
            return files
    return []


def imports(starts: Iterable[str], paths: Collection[str], read: Read) -> Iterator[tuple[str, int, str]]:
    """(file, line, module) of each import that runs when the files and folders `starts` are imported."""
    folders = tuple(f"{start.rstrip('/')}/" for start in starts)
    todo = sorted(path for path in paths if path.endswith(".py") and f"{path}/".startswith(folders))
    packages = {f"{folder}/__init__.py" for path in todo for folder in PurePosixPath(path).parents}
    todo += sorted(packages.intersection(paths).difference(todo))
    seen = set(todo)
    own = {part.removesuffix(".py") for path in paths for part in path.split("/")}
    for path in todo:
        for line, module in imports_of(read(path)):
            yield path, line, module
            if module.startswith(".") or module.partition(".")[0] in own:
                new = [file for file in local_files(module, path, paths) if file not in seen]
                todo += new
                seen.update(new)


def complaints(path: str, read: Read, paths: Collection[str]) -> Iterator[str]:
    """One text for each thing that is wrong with the requirements file; none when all is well."""
    text = read(path)
    wanted, chosen = generate(path, text, read), settings(text)
    if text != wanted:
        yield "\n".join(
            difflib.unified_diff(text.split("\n"), wanted.split("\n"), path, "production", lineterm="", n=0)
        )
        yield f"{path} has drifted from {' '.join(chosen['production'])}: run this again with --write"
    variant, origin, known = chosen.get("dockerfile") or ("", "", "")
    if origin and fingerprint(read(origin)) != known:
        yield f"{origin} has changed since {variant} was made from it: change {variant} alike, then --write"
    gone = set(chosen.get("modules left out", []))
    for file, line, module in dict.fromkeys(imports(chosen.get("starts at", []), paths, read)):
        if module.partition(".")[0] in gone:
            yield f"{file}:{line} imports {module}, which {path} leaves out"


def main(arguments: list[str]) -> int:
    """Checks or writes each file named; returns the exit status."""
    root = Path(__file__).resolve().parents[1]
    found = [file.relative_to(root) for file in root.rglob("*.py")]
    paths = {file.as_posix() for file in found if not SKIPPED.intersection(file.parts)}

    def read(path: str) -> str:
        return (root / path).read_text(encoding="utf-8-sig")

    wrong: list[str] = []
    for path in (argument for argument in arguments if argument != "--write"):
        if "--write" in arguments:
            noted = re.sub(
                r"(?m)^(#   dockerfile: \S+ (\S+)) .*",
                lambda m: f"{m[1]} {fingerprint(read(m[2]))}",
                read(path),
            )
            (root / path).write_text(generate(path, noted, read), encoding="utf-8")
        wrong += complaints(path, read, paths)
    print("\n".join(wrong) or "the CI requirements follow production")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
