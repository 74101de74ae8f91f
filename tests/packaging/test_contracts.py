"""Rules of the repository that no type checker sees."""

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_imports_point_one_way() -> None:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "2 kept, 0 broken" in done.stdout


def test_nothing_runs_through_a_shell() -> None:
    product = [path for path in tracked() if path.suffix == ".py" and "tests" not in path.parts]
    assert product
    for path in product:
        assert not re.search(r"shell\s*=\s*True|os\.system\(|os\.popen\(", path.read_text("utf-8")), path


def test_no_registry_host_is_named() -> None:
    hosts = re.compile(
        r"pypi\.org|pythonhosted|npmjs|deb\.debian|docker\.io/library|registry-1|index\.docker"
    )
    for path in tracked():
        if path != Path(__file__) and path.suffix not in (".png", ".svg"):
            assert not hosts.search(path.read_text("utf-8", "replace")), path


def test_a_rule_says_what_it_does_and_leaves_the_work_to_the_model() -> None:
    rules = sorted((ROOT / "rules").glob("*.py"))
    assert rules
    for path in rules:
        text = path.read_text("utf-8")
        nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Assign)]
        examples = [node for node in nodes if ast.unparse(node.targets[0]) in ("FIRES", "SILENT")]
        shown = sum((node.end_lineno or 0) - node.lineno + 1 for node in examples)
        assert text.count("\n") - shown < 200, f"{path.name}: more than 200 lines beside its examples"
