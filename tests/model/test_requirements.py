"""Requirements as pip reads them: included files, constraints, hashes, markers, extras, addresses."""

import pytest

from phasewise.model.ci.check_requirements_ci import logical_lines, package
from phasewise.model.python.requirements import Listed, RequirementsError, constrained, listed, why_unreadable


def names(source: str, files: dict[str, str]) -> list[str]:
    return [each.name for each in listed(source, files.__getitem__)]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("torch==2.9.1", "torch"),
        ("Scikit_Learn >= 1.7", "scikit-learn"),
        ("ruamel.yaml", "ruamel-yaml"),
        ("uvicorn[standard]==0.38.0", "uvicorn"),
        ('uvloop==0.22.1; sys_platform != "win32"', "uvloop"),
        ("torch @ https://example.org/torch-2.9.1-cp312-none-any.whl", "torch"),
        ("https://example.org/whl/torch-2.9.1%2Bcpu-cp312-cp312-linux_x86_64.whl", "torch"),
        ("-e git+https://example.org/tool.git@v1#egg=My_Tool", "my-tool"),
        ("--extra-index-url https://example.org/simple", ""),
        ("-c constraints.txt", ""),
        ("--require-hashes", ""),
        ("-e .", ""),
        ("./wheels/local", ""),
        ("libs/local", ""),
    ],
)
def test_name_of_a_line(line: str, name: str) -> None:
    assert package(line) == name


def test_logical_lines_join_hashes_and_drop_comments() -> None:
    text = (
        "\ufeff# all of it\r\n"
        "fastapi==0.121.2 \\\r\n"
        "    --hash=sha256:aa \\\r\n"
        "    --hash=sha256:bb   # from the lock\r\n"
        "\r\n"
        "   # indented \\\r\n"
        "numpy  >=  1.26 , < 3   # range\r\n"
        "tail \\"
    )
    assert list(logical_lines(text)) == [
        (2, "fastapi==0.121.2 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb"),
        (7, "numpy >= 1.26 , < 3"),
        (8, "tail"),
    ]


def test_an_address_keeps_its_fragment() -> None:
    assert list(logical_lines("git+https://example.org/a.git#egg=a\n")) == [
        (1, "git+https://example.org/a.git#egg=a")
    ]


def test_included_files_stand_in_place_with_their_own_lines() -> None:
    files = {
        "api/requirements/prod.txt": "-r base.txt\n--requirement=../extra.txt\nlast==1\n",
        "api/requirements/base.txt": "\n# base\nfastapi==1\n",
        "api/extra.txt": "torch==2\n",
    }
    found = listed("api/requirements/prod.txt", files.__getitem__)
    assert [(each.name, each.path, each.line) for each in found] == [
        ("fastapi", "api/requirements/base.txt", 3),
        ("torch", "api/extra.txt", 1),
        ("last", "api/requirements/prod.txt", 3),
    ]


def test_a_missing_or_endless_include_is_an_error() -> None:
    with pytest.raises(RequirementsError, match=r"base\.txt.*not in the repository"):
        names("r.txt", {"r.txt": "-r base.txt\n"})
    with pytest.raises(RequirementsError, match="cannot be read"):
        names("r.txt", {"r.txt": "-r r.txt\n"})


PROJECT = """
[project]
name = "My_App"
version = "1"
dependencies = [
    "fastapi==0.121.2",
    "uvicorn[standard]",
]

[project.optional-dependencies]
ml = ["torch==2.9.1"]
dev = ["pytest"]
all = ["my-app[ml, dev]"]
"""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("pyproject.toml", ["fastapi", "uvicorn"]),
        ("pyproject.toml[ml]", ["fastapi", "uvicorn", "torch"]),
        ("pyproject.toml[ML,dev]", ["fastapi", "uvicorn", "torch", "pytest"]),
        ("pyproject.toml[all]", ["fastapi", "uvicorn", "torch", "pytest"]),
    ],
)
def test_extras_of_a_project(source: str, expected: list[str]) -> None:
    assert names(source, {"pyproject.toml": PROJECT}) == expected


def test_lines_of_a_project_are_where_they_are_written() -> None:
    lines = {
        each.name: each.line for each in listed("pyproject.toml[ml]", {"pyproject.toml": PROJECT}.__getitem__)
    }
    assert PROJECT.split("\n")[lines["torch"] - 1] == 'ml = ["torch==2.9.1"]'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[tool.poetry]\nname = 'a'\n", "Poetry"),
        ("[project]\nname = 'a'\ndynamic = ['version', 'dependencies']\n", "dynamic"),
        ("[tool.black]\n", "no \\[project\\] table"),
    ],
)
def test_projects_that_give_no_requirements_say_why(text: str, reason: str) -> None:
    with pytest.raises(RequirementsError, match=reason):
        names("pyproject.toml", {"pyproject.toml": text})
    assert why_unreadable(PROJECT) == ""


def test_constrained_names() -> None:
    files = {"a/r.txt": "-c ../c.txt\n-r more.txt\n", "a/more.txt": "--constraint c2.txt\n"}
    files |= {"c.txt": "Numpy==2\n", "a/c2.txt": "scipy<2\n"}
    assert constrained("a/r.txt", files.__getitem__) == {"numpy", "scipy"}


@pytest.mark.parametrize(
    ("text", "exact", "pinned"),
    [
        ("pandas", False, "pandas==2.3.3"),
        ("pandas>=2,<3", False, "pandas==2.3.3"),
        ("pandas==2.*", False, "pandas==2.3.3"),
        (
            "pandas[excel,aws]>=2 ; python_version > '3.8'",
            False,
            'pandas[aws,excel]==2.3.3 ; python_version > "3.8"',
        ),
        ("pandas==2.3.3", True, None),
        ("pandas===2.3.3", True, None),
        ("pandas>=2 \\\n    --hash=sha256:aa", True, None),
        ("pandas @ https://example.org/p.whl", True, None),
        ("https://example.org/pandas-2.3.3-py3-none-any.whl", True, None),
    ],
)
def test_exact_requirements_and_pins(text: str, exact: bool, pinned: str | None) -> None:
    requirement = Listed("pandas", text, "r.txt", 1)
    assert requirement.is_exact is exact
    if pinned:
        assert requirement.pinned("2.3.3+local.1") == pinned


def test_an_odd_version_is_an_error() -> None:
    with pytest.raises(RequirementsError, match="not a version"):
        Listed("a", "a", "r.txt", 1).pinned("unknown")
