"""A CI variant that production has left behind really breaks, and works again after it was brought up."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from test_ci_variant import build, check, write

from phasewise.migration.census import take_census
from phasewise.migration.images import Engine
from phasewise.model.builds.references import build_references
from phasewise.model.phase import FileEdit, Phase
from phasewise.model.repo import RepoView, Target
from phasewise.rules.add_ci_variant import AddCiVariant
from phasewise.rules.refresh_ci_variant import RefreshCiVariant

pytestmark = pytest.mark.engine

DOCKERFILE = """\
FROM python:3.12-slim
WORKDIR /srv
COPY requirements.txt .
RUN pip install --no-cache-dir --no-compile -r requirements.txt
COPY main.py .
CMD ["python", "main.py"]
"""
FILES = {
    "Dockerfile": DOCKERFILE,
    "requirements.txt": "idna==3.11\nnumpy==2.3.5\n",
    "main.py": "import idna\n\n\ndef mean(values):\n    import numpy\n\n    return numpy.mean(values)\n",
    "compose.yaml": "services:\n  tests:\n    build: .\n",
}
CHANGED = {
    "Dockerfile": DOCKERFILE.replace("COPY main.py .", "COPY main.py limits.json ./"),
    "requirements.txt": FILES["requirements.txt"] + "attrs==25.4.0\n",
    "main.py": "import json\nfrom pathlib import Path\n\nimport attr\n\n"
    "print(json.loads(Path('limits.json').read_text()), attr.__name__)\n",
    "limits.json": "5",
}
COMMAND = ["python", "main.py"]


def test_what_was_left_behind_works_again(engine: Engine, repository: str, tmp_path: Path) -> None:
    view = RepoView(Target("Dockerfile"), FILES, frozenset(FILES), build_references(FILES, FILES))
    added = AddCiVariant().propose(view, {})
    assert isinstance(added, Phase), added
    view = view.with_edits(added.edits)
    changes = [FileEdit(path, view.files.get(path), text) for path, text in CHANGED.items()]
    view = replace(view.with_edits(changes), original=None)
    for path in view.paths:
        write(tmp_path, path, view.files[path])
    assert check(tmp_path).returncode == 1
    stale = engine.run(build(engine, repository, tmp_path, "Dockerfile.ci", "stale"), COMMAND)
    assert "No module named 'attr'" in stale.stderr

    phase = RefreshCiVariant().propose(view, {})
    assert isinstance(phase, Phase), phase
    assert sorted(phase.files) == ["Dockerfile.ci", "requirements-ci.txt"]
    for edit in phase.edits:
        write(tmp_path, edit.path, edit.after or "")
    result = check(tmp_path)
    assert result.returncode == 0, result.stdout
    image = build(engine, repository, tmp_path, "Dockerfile.ci", "fresh")
    fresh = engine.run(image, COMMAND)
    assert fresh.stdout.split() == ["5", "attr"], fresh.stderr
    names = {each.name for each in take_census(engine, image).distributions}
    assert {"attrs", "idna"} <= names
    assert "numpy" not in names
