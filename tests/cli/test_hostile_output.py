"""Text from the repository is data: no control sequence of it reaches the terminal, no markup the report."""

import subprocess
import sys

from calling import Called, Phasewise
from git_sandbox import DOCKERFILE, Sandbox

EVIL = "fix \x1b]0;owned\x07\x1b[2J\u202egnp.exe <script>alert(1)</script> [x](y) | `z`"
PHASE = "drop_compileall"


def evil(sandbox: Sandbox) -> None:
    sandbox.git("checkout", "--quiet", "--orphan", "evil")
    sandbox.write("Dockerfile", f"{DOCKERFILE}# \x1b[31m{'x' * 300}\n")
    sandbox.git("add", "--all")
    sandbox.git("commit", "--quiet", "--message", EVIL)


def harmless(called: Called) -> None:
    for stream in (called.stdout, called.stderr):
        assert not set(stream) & {"\x1b", "\x07", "\u202e"}


def test_nothing_reaches_the_terminal(sandbox: Sandbox, phasewise: Phasewise) -> None:
    evil(sandbox)
    for words in (["plan"], ["plan", "--json"], ["status"], ["report"], ["report", "--format", "html"]):
        called = phasewise(words[0], sandbox.root, *words[1:])
        assert called.status == 0
        harmless(called)
    called = phasewise("apply", PHASE, "-C", sandbox.root)
    assert called.status == 0
    harmless(called)
    harmless(phasewise("report", sandbox.root))


def test_a_hook_cannot_write_to_the_terminal(sandbox: Sandbox, phasewise: Phasewise) -> None:
    sandbox.hook("pre-commit", "printf '\\033]0;owned\\007no\\n' >&2; exit 1")
    called = phasewise("apply", PHASE, "-C", sandbox.root)
    assert called.status == 3
    assert "no" in called.stderr
    harmless(called)


def test_the_report_has_no_markup_of_the_repository(sandbox: Sandbox, phasewise: Phasewise) -> None:
    evil(sandbox)
    phasewise("apply", PHASE, "-C", sandbox.root)
    markdown = phasewise("report", sandbox.root).stdout
    assert "\\<script\\>" in markdown
    assert "\\[x\\](y) \\| \\`z\\`" in markdown
    page = phasewise("report", sandbox.root, "--format", "html").stdout
    assert "<script>" not in page
    assert PHASE in page
    assert "&lt;script&gt;" in page


def test_a_reader_that_goes_away(sandbox: Sandbox) -> None:
    sandbox.commit("long", Dockerfile=f"{DOCKERFILE}RUN echo {'x' * 1_000_000}\n")
    command = [sys.executable, "-m", "phasewise.cli", "plan", str(sandbox.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode()
        assert process.wait() == 141
    assert said == ""
