"""What the first frame does not wait for: git, the engine, the parsers."""

import subprocess
import sys

HEAVY = {"docker", "dockerfile_parse", "git", "packaging", "requests", "ruamel", "tomlkit", "tree_sitter"}


def test_nothing_heavy_is_loaded_before_the_first_frame() -> None:
    """What the command line and the terminal UI import, in a process of its own."""
    code = "import sys, phasewise.cli.main, phasewise.tui.app\nprint(*(name for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "textual.app" in loaded
    assert not {name.partition(".")[0] for name in loaded} & HEAVY
    assert "phasewise.migration.session" not in loaded, "it is loaded when the repository is opened"
