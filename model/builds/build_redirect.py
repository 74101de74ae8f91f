"""Makes one place that builds a Dockerfile build another one, and leaves the rest of its file alone."""

from __future__ import annotations

import re
from typing import cast

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from phasewise.model.builds.build_commands import BuildCommand, build_commands
from phasewise.model.builds.yaml_edit import (
    Embedded,
    YamlRefusal,
    add_entry,
    add_item_before,
    compose,
    edited,
    embedded,
    entry,
    node_at,
    quoted,
    scalar,
    set_scalar,
    value_of,
)
from phasewise.model.repo import BuildReference
from phasewise.model.text import Edit, Span, apply_edits

_EXPRESSION = re.compile(r"\$\{\{\s*matrix\.([\w-]+)\s*\}\}")
_MATRIX_KEY = "dockerfile"


def redirected(text: str, build: BuildReference, name: str) -> str:
    """The file `text` (workflow, compose, GitLab CI, script or makefile) in which `build` builds `name`.

    `name` stands in the folder of the Dockerfile that is built now. Of a matrix, just the values that lead
    to that Dockerfile are changed.

    Raises:
        YamlRefusal: it cannot be done without changing something else; the message says why.
    """
    if not build.path.endswith((".yml", ".yaml")):
        return _script(text, build, name)
    node = node_at(compose(text), build.where)
    if build.where.startswith("services."):
        return _service(text, node, build, name)
    if isinstance(node, ScalarNode):
        return _shell(text, node, build.where, None, build, name)
    job = node_at(compose(text), build.where.rpartition(".steps[")[0])
    run = value_of(node, "run")
    if run is not None:
        return _shell(text, run, f"{build.where}.run", job, build, name)
    if (scalar(node, "uses") or "").startswith("docker/build-push-action"):
        return _action(text, node, job, build, name)
    raise YamlRefusal(f"it builds through {scalar(node, 'uses') or 'something unknown'}")


def with_step(text: str, build: BuildReference, title: str, command: str) -> str:
    """The workflow with a step that runs `command` in front of the step of `build`.

    `command` is for the repository's root. In a matrix, it runs for the values of `build` alone.

    Raises:
        YamlRefusal: the steps are not a list with one step a line.
    """
    job_address, _, index = build.where.rstrip("]").rpartition(".steps[")
    root = compose(text)
    job = node_at(root, job_address)
    lines = [f"name: {quoted(title)}"]
    if build.matrix and _matrix(job) is not None:
        lines.append("if: " + " && ".join(f"matrix.{key} == '{value}'" for key, value in build.matrix))
    if _has_working_directory(root) or _has_working_directory(job):
        lines.append("working-directory: .")
    steps = node_at(root, f"{job_address}.steps")
    edit = add_item_before(text, steps, int(index), (*lines, f"run: {command}"))
    return edited(text, [edit], {f"{job_address}.steps"})


def _service(text: str, node: Node, build: BuildReference, name: str) -> str:
    found = entry(node, "build")
    if found is None:
        raise YamlRefusal("its build comes in through an anchor")
    key, value = found
    address = f"{build.where}.build"
    if isinstance(value, ScalarNode):
        indent = key.start_mark.column + 2
        newline = "\r\n" if "\r\n" in text else "\n"
        start = text.index(":", key.end_mark.index) + 1
        context = f"{newline}{' ' * indent}context: {quoted(value.value, value.style)}"
        dockerfile = f"{newline}{' ' * indent}dockerfile: {quoted(name)}"
        line_end = value.end_mark.index + len(_rest_of_line(text, value.end_mark.index))
        edits = [Edit(Span(start, value.end_mark.index), context), Edit(Span(line_end, line_end), dockerfile)]
        return edited(text, edits, {address})
    written = value_of(value, "dockerfile")
    if written is not None:
        edit = set_scalar(written, _beside(str(written.value), name))
    else:
        edit = add_entry(text, value, "dockerfile", quoted(name), after="context")
    return edited(text, [edit], {f"{address}.dockerfile"})


def _script(text: str, build: BuildReference, name: str) -> str:
    """A shell script, or the recipe of a makefile: the command that begins on the reference's line."""
    lines = text.split("\n")
    last = build.line
    while lines[last - 1].rstrip("\r").endswith("\\") and last < len(lines):
        last += 1
    start = len("\n".join(lines[: build.line - 1])) + (build.line > 1)
    part = text[start : start + len("\n".join(lines[build.line - 1 : last]))]
    masked = re.sub(r"^[\t @+-]+|\$\(\w+\)|\{\{.*?\}\}|\r", _blank, part)
    commands = build_commands(masked)
    if len(commands) != 1:
        raise YamlRefusal("which of its commands builds the image cannot be told")
    for word in (commands[0].file, commands[0].context):
        if word and word.span.of(part) != word.span.of(masked):
            raise YamlRefusal("the path of the Dockerfile is computed")
    shown = Embedded(part, tuple(range(start, start + len(part))))
    return apply_edits(text, [_flag(text, shown, commands[0], _path(_dockerfile(commands[0]), name))])


def _blank(match: re.Match[str]) -> str:
    return (" " if match[0][0] in "\t @+-\r" else "x") * len(match[0])


def _shell(text: str, node: Node, address: str, job: Node | None, build: BuildReference, name: str) -> str:
    """The script of a step or a job."""
    script = embedded(text, node)
    command = _command_of(text, script.offsets, build_commands(script.text), build)
    old = _dockerfile(command)
    keys = _matrix_keys(job, build, old)
    if job is not None and keys:
        if direct := _sole_expression(old):
            return _include_value(text, job, build, direct, name)
        new, addition, entry_address = _by_matrix(text, job, build, old, name)
        return edited(text, [addition, _flag(text, script, command, new)], {address, entry_address})
    return edited(text, [_flag(text, script, command, _path(old, name))], {address})


def _dockerfile(command: BuildCommand) -> str:
    """The Dockerfile that the command builds, as it names it or would."""
    if command.context.value == "-" or "://" in command.context.value:
        raise YamlRefusal("its context is not a folder")
    return command.file.value if command.file else f"{command.context.value.rstrip('/')}/Dockerfile"


def _flag(text: str, script: Embedded, command: BuildCommand, new: str) -> Edit:
    """Sets `-f`, in the quotes of what it replaces or of the context."""
    old = command.file or command.context
    first = script.text[old.span.start]
    quote = first if first in "\"'" else ""
    if command.file:
        return Edit(script.span(old.span.start, old.span.end), f"{quote}{new}{quote}")
    end = script.offsets[command.build.span.end - 1] + 1
    return Edit(Span(end, end), f" -f {quote}{new}{quote}")


def _action(text: str, step: Node, job: Node, build: BuildReference, name: str) -> str:
    with_ = value_of(step, "with")
    if with_ is None:
        edit = add_entry(text, step, "with", f"\n  file: {quoted(name)}", after="uses")
        return edited(text, [edit], {f"{build.where}.with"})
    written = value_of(with_, "file")
    context = scalar(with_, "context") or "."
    if "://" in context or "defaultContext" in context:
        raise YamlRefusal("its context is fetched with git")
    old = str(written.value) if written is not None else f"{context.rstrip('/')}/Dockerfile"
    edits: list[Edit] = []
    intended = {f"{build.where}.with.file"}
    new = _path(old, name)
    if _matrix_keys(job, build, old):
        if direct := _sole_expression(old):
            return _include_value(text, job, build, direct, name)
        new, addition, address = _by_matrix(text, job, build, old, name)
        edits.append(addition)
        intended.add(address)
    if written is not None:
        edits.append(set_scalar(written, new))
    else:
        flow = isinstance(with_, MappingNode) and bool(with_.flow_style)
        edits.append(add_entry(text, with_, "file", quoted(new, flow=flow), after="context"))
    return edited(text, edits, intended)


def _command_of(
    text: str, offsets: tuple[int, ...], commands: tuple[BuildCommand, ...], build: BuildReference
) -> BuildCommand:
    """The build command that the reference means: the one on its line, else the only one."""
    lines = [text.count("\n", 0, offsets[command.build.span.start]) + 1 for command in commands]
    if not commands:
        raise YamlRefusal("it builds through another tool")
    here = [command for command, line in zip(commands, lines, strict=True) if line == build.line]
    if len(here) != 1 and len(commands) != 1:
        raise YamlRefusal("its step runs several builds, and which one it is cannot be told")
    return here[0] if len(here) == 1 else commands[0]


def _beside(written: str, name: str) -> str:
    """`written` with its last part replaced by `name`."""
    return f"{written.rpartition('/')[0]}/{name}" if "/" in written else name


def _path(old: str, name: str) -> str:
    """The path of the new Dockerfile; a leading `./` says nothing and goes."""
    return _beside(old, name).removeprefix("./")


def _sole_expression(written: str) -> str | None:
    """The matrix key, where the whole path of the Dockerfile is one matrix value."""
    match = _EXPRESSION.fullmatch(written.strip())
    return match[1] if match else None


def _matrix_keys(job: Node | None, build: BuildReference, old: str) -> tuple[str, ...]:
    """The keys of the job's matrix that decide which Dockerfile is built."""
    if job is None or _matrix(job) is None:
        return ()
    named = _EXPRESSION.findall(old)
    return tuple(key for key, _ in build.matrix if key in named)


def _matrix(job: Node) -> Node | None:
    strategy = value_of(job, "strategy")
    return value_of(strategy, "matrix") if strategy is not None else None


def _include_value(text: str, job: Node, build: BuildReference, key: str, name: str) -> str:
    """The matrix entry that names the Dockerfile, renamed; it must be one of `include`."""
    matrix = cast(Node, _matrix(job))
    include = value_of(matrix, "include")
    wanted = dict(build.matrix)
    address = build.where.rpartition(".steps[")[0]
    for index, item in enumerate(include.value if isinstance(include, SequenceNode) else ()):
        written = value_of(item, key)
        if written is not None and all(scalar(item, k) in (v, None) for k, v in wanted.items()):
            edit = set_scalar(written, _beside(str(written.value), name))
            return edited(text, [edit], {f"{address}.strategy.matrix.include[{index}].{key}"})
    raise YamlRefusal(f"its Dockerfile comes from matrix.{key}, which several values share")


def _by_matrix(text: str, job: Node, build: BuildReference, old: str, name: str) -> tuple[str, Edit, str]:
    """The path with its last part from the matrix, the entry that sets it, and that entry's address."""
    matrix = cast(Node, _matrix(job))
    folder, _, file = old.rpartition("/")
    address = build.where.rpartition(".steps[")[0]
    if not isinstance(matrix, MappingNode) or matrix.flow_style:
        raise YamlRefusal("its matrix is computed or written on one line")
    if _MATRIX_KEY in text[matrix.start_mark.index : matrix.end_mark.index] or "${{" in file:
        raise YamlRefusal("its matrix already has a part in the name of the Dockerfile")
    values = [(key, value) for key, value in build.matrix if key in _matrix_keys(job, build, old)]
    path = f"{folder}/${{{{ matrix.{_MATRIX_KEY} || '{file}' }}}}".removeprefix("./")
    pairs = [*((key, quoted(value)) for key, value in values), (_MATRIX_KEY, quoted(name))]
    include = value_of(matrix, "include")
    if include is None:
        last = matrix.value[-1][0].value
        item = "\n  - " + "\n    ".join(f"{key}: {value}" for key, value in pairs)
        return path, _append(text, matrix, "include", item, last), f"{address}.strategy.matrix.include"
    for index, item_node in enumerate(include.value if isinstance(include, SequenceNode) else ()):
        if all(scalar(item_node, key) == value for key, value in values):
            edit = add_entry(text, item_node, _MATRIX_KEY, quoted(name), after=values[-1][0])
            return path, edit, f"{address}.strategy.matrix.include[{index}].{_MATRIX_KEY}"
    if not isinstance(include, SequenceNode) or include.flow_style:
        raise YamlRefusal("its matrix lists its entries on one line")
    lines = tuple(f"{key}: {value}" for key, value in pairs)
    return path, add_item_before(text, include, 0, lines), f"{address}.strategy.matrix.include"


def _append(text: str, mapping: MappingNode, key: str, value: str, after: str) -> Edit:
    """Adds an entry behind the last one; where that is a list over several lines, in front of the first."""
    last = mapping.value[-1][1]
    if isinstance(last, SequenceNode) and last.flow_style:
        newline = "\r\n" if "\r\n" in text else "\n"
        indent = " " * mapping.value[0][0].start_mark.column
        end = text.find("\n", last.end_mark.index)
        lines = f"{indent}{key}:{value}".replace("\n", newline + indent)
        if end < 0:
            return Edit(Span(len(text), len(text)), newline + lines)
        return Edit(Span(end + 1, end + 1), lines + newline)
    return add_entry(text, mapping, key, value, after)


def _rest_of_line(text: str, start: int) -> str:
    return text[start:].partition("\n")[0].removesuffix("\r")


def _has_working_directory(node: Node) -> bool:
    defaults = value_of(node, "defaults")
    run = value_of(defaults, "run") if defaults is not None else None
    return run is not None and value_of(run, "working-directory") is not None
