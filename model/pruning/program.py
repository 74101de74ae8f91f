"""The step that prunes an environment: a Python program in one RUN, which goes by each distribution's RECORD."""

from __future__ import annotations

from phasewise.model.pruning.parts import Parts

_OWN = "from importlib.metadata import distributions"

_READ = r"""import re, shutil; \
    from importlib.metadata import distributions; \
    from pathlib import Path; \
    sites = [*map(str, Path("{path}").glob("lib/python*/*-packages"))] or ["{path}"]; \
    installed = [*distributions(path=sites)]; \
    files = [file for each in installed for file in each.files or () \
        if file.suffix != ".pyc" and file.locate().exists()]; \
    code = [file for file in files if file.suffix == ".py" and not re.search("/tests?/", str(file))]; \
    # What is imported, and by which package.
    imports = {{(file.parts[0], name) for file in code for name in re.findall( \
        r"(?m)^\s*(?:from|import)\s+([\w.]+(?:\s+import\s+tests\b)?)", file.locate().read_text("utf-8", "ignore"))}}"""

_TESTS = r"""; \
    # Tests that nothing but tests imports.
    used = {{re.sub(r"\s+import\s+", ".", name) if name[0] != "." else package \
        for package, name in imports if re.search(r"\btests?\b", name)}}; \
    tests = {{file.dist.locate_file(found[0]) for file in files if file.parts[0] not in used and \
        (found := re.match(r"\w.*?/tests?(?=/(.*/)?test_\w*\.py$)", str(file))) and \
        not any(name.startswith(found[0].replace("/", ".")) for name in used)}}; \
    [shutil.rmtree(folder) for folder in tests]"""

_HEADERS = r"""; \
    # Not from packages that compile while they run.
    [file.locate().unlink() for file in files if re.search( \
        r"^(?!torch|triton|nvidia|cu|numba|cffi|cppyy|jax|tensorflow).*\binclude/.*\.(h|hh|hpp|hxx)$" \
        r"|^(?!.*libcudadevrt).*\.a$", str(file)) and file.locate().is_file()]"""

_UNNEEDED = r"""; \
    # Installers that no other package requires or imports.
    others = [each for each in installed if each.metadata["Name"] not in ("pip", "setuptools", "wheel")]; \
    own = ("pip", "setuptools", "wheel", "pkg_resources", "_distutils_hack"); \
    needed = [need for each in others for need in each.requires or () if "extra ==" not in need] + \
        [name for package, name in imports if package not in own]; \
    unneeded = [tool for tool, use in dict(pip="pip", wheel="wheel", \
        setuptools="setuptools|pkg_resources|distutils").items() \
        if not any(re.match(rf"({{use}})\b", need) for need in needed)]; \
    gone = {{each.locate_file(re.match(r"(\.\.|__pycache__)?/.*|[^/]+", str(file))[0]) for each in installed \
        if each.metadata["Name"] in unneeded for file in each.files or ()}}; \
    [shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True) for path in gone]"""

_KEPT = "# Tests that a package imports itself stay, and so do */testing and all dist-info.\n"


def prune_step(python: str, path: str, parts: Parts) -> str:
    """The RUN with its comment, in lines that end with a newline; `python` runs it on what is under `path`."""
    program = _READ.format(path=path) + (_TESTS.format() if parts.tests else "")
    program += (_HEADERS if parts.headers else "") + (_UNNEEDED.format() if parts.installers else "")
    kept = _KEPT if parts.tests else ""
    return f"# Out with {parts.named()}, by each distribution's RECORD.\n{kept}RUN {python} -c '{program}'\n"


def is_prune_step(command: str) -> bool:
    """Whether a RUN does so already."""
    return _OWN in command
