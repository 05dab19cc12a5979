"""The budgets that the linter cannot hold: sizes, state, environment, reasons, docstrings."""

from __future__ import annotations

import ast
import io
import re
import statistics
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import pytest

import leadline

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "leadline"
FILE_LINES = 400
TEST_FILE_LINES = 600
FUNCTION_LINES = 60
MEDIAN_FUNCTION_LINES = 15
LINES_PER_BROAD_EXCEPT = 1000
LOOP_COMPLEXITY = 8
REASON_LETTERS = 6
PUBLIC_NAMES = 25

DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
CONSTRUCTORS = {
    "list",
    "dict",
    "set",
    "bytearray",
    "defaultdict",
    "Counter",
    "deque",
    "OrderedDict",
}
READ_ONLY = re.compile(r"^(Final\b|(Mapping|Sequence|Collection|Set|AbstractSet)\[)")
NOQA = re.compile(r"#\s*(?:ruff:\s*)?noqa\b:?\s*(?P<codes>[A-Z]+[0-9]+(?:\s*,\s*[A-Z]+[0-9]+)*)?")
IGNORE = re.compile(r"#\s*type:\s*ignore(?:\[(?P<codes>[a-z, -]+)\])?")


class Place(NamedTuple):
    """A spot in the tree, printed as an editor understands it."""

    path: Path
    line: int
    what: str

    def __repr__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} {self.what}"


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(tree_of(path))


def line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


# ---------------------------------------------------------------------------------------------- size


def test_files_are_short() -> None:
    limits = dict.fromkeys(python_files("src"), FILE_LINES)
    limits |= dict.fromkeys(python_files("tests", "scripts", "benchmarks"), TEST_FILE_LINES)
    sizes = {path: line_count(path) for path in limits}
    long = [Place(path, size, "lines") for path, size in sizes.items() if size > limits[path]]
    assert not long


def test_functions_are_short() -> None:
    measured = [
        (length(node), Place(path, node.lineno, node.name)) for path in python_files("src") for node in functions(path)
    ]
    assert not [(lines, place) for lines, place in measured if lines > FUNCTION_LINES]
    assert statistics.median(lines for lines, _ in measured) <= MEDIAN_FUNCTION_LINES


def test_run_loop_is_simple() -> None:
    """The function that swells in agent programs has the tightest budget."""
    files = [SOURCE / "research" / name for name in ("loop.py", "pipeline.py")]
    assert all(path.exists() for path in files)
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "ruff", "check", "--isolated", "--select", "C901"),
            *("--config", f"lint.mccabe.max-complexity={LOOP_COMPLEXITY}"),
            *files,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


# --------------------------------------------------------------------------------------------- state


def is_mutable(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        function = value.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        return name in CONSTRUCTORS
    return isinstance(value, DISPLAYS)


def module_state(path: Path) -> Iterator[Place]:
    """Yield the module's names that hold something mutable and are not declared read-only."""
    for node in tree_of(path).body:
        if isinstance(node, ast.Assign) and is_mutable(node.value):
            names = ", ".join(ast.unparse(target) for target in node.targets)
            if names != "__all__":
                yield Place(path, node.lineno, names)
        if isinstance(node, ast.AnnAssign) and is_mutable(node.value):
            annotation = ast.unparse(node.annotation).rpartition("typing.")[2]
            if not READ_ONLY.match(annotation):
                yield Place(path, node.lineno, ast.unparse(node.target))


def test_modules_hold_no_state() -> None:
    """A table is a tuple, a frozenset, a MappingProxyType, or annotated as Mapping, Sequence or Final."""
    assert not [place for path in python_files("src") for place in module_state(path)]


def test_no_global_statement() -> None:
    assert not [
        Place(path, node.lineno, ast.unparse(node))
        for path in python_files("src")
        for node in nodes(path)
        if isinstance(node, ast.Global)
    ]


def test_one_module_reads_the_environment() -> None:
    readers = {
        path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for path in python_files("src")
        for node in nodes(path)
        if isinstance(node, ast.Attribute | ast.Name | ast.alias)
        and {getattr(node, "attr", ""), getattr(node, "id", ""), getattr(node, "name", "")}
        & {"environ", "environb", "getenv"}
    }
    assert readers <= {"settings"}


def test_only_the_command_line_prints() -> None:
    assert not [
        Place(path, node.lineno, "print")
        for path in python_files("src")
        if path.relative_to(SOURCE).parts[0] != "cli"
        for node in nodes(path)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    ]


def test_nothing_is_left_unwritten() -> None:
    assert not [
        Place(path, node.lineno, ast.unparse(node))
        for path in python_files("src")
        for node in nodes(path)
        if isinstance(node, ast.Raise) and "NotImplementedError" in ast.unparse(node)
    ]


# ------------------------------------------------------------------------------------------- reasons


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler swallows everything; one that raises again at its end does not."""
    caught = "BaseException" if handler.type is None else ast.unparse(handler.type)
    raises_again = isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None
    return bool(re.search(r"\b(Base)?Exception\b", caught)) and not raises_again


def test_broad_handlers_are_few() -> None:
    broad = [
        Place(path, node.lineno, "broad except")
        for path in python_files("src")
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler) and is_broad(node)
    ]
    lines = sum(line_count(path) for path in python_files("src"))
    assert len(broad) <= max(1, lines // LINES_PER_BROAD_EXCEPT), broad


def comments(path: Path) -> Iterator[tuple[int, str]]:
    text = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def unexplained(comment: str) -> bool:
    """Tell whether a comment silences a check without its code or without a reason."""
    rest = comment
    for pattern in (NOQA, IGNORE):
        for match in pattern.finditer(comment):
            if not match["codes"]:
                return True
            rest = rest.replace(match[0], "")
    silences = rest != comment
    return silences and len(re.findall(r"[^\W\d_]", rest)) < REASON_LETTERS


@pytest.mark.parametrize(
    ("comment", "verdict"),
    [
        ("# noqa", True),
        ("# noqa: BLE001", True),
        ("# noqa: BLE001 a plugin may raise anything", False),
        ("# noqa: S110, BLE001 the process ends here", False),
        ("# noqa: S608 constants", False),
        ("# type: ignore", True),
        ("# type: ignore[arg-type]", True),
        ("# type: ignore[arg-type]  # the stub is older than the library", False),
        ("# plain words", False),
    ],
)
def test_unexplained_silence_is_seen(comment: str, verdict: bool) -> None:
    assert unexplained(comment) is verdict


def test_silenced_checks_have_code_and_reason() -> None:
    assert not [
        Place(path, line, comment)
        for path in python_files("src", "tests", "scripts", "examples", "benchmarks")
        for line, comment in comments(path)
        if unexplained(comment)
    ]


# ---------------------------------------------------------------------------------------- docstrings


def contracts() -> list[Path]:
    """Return the files whose public names are promises: nouns, events, errors and ports."""
    named = [SOURCE / f"{name}.py" for name in ("domain", "errors", "events", "ports")]
    return [path for path in named if path.exists()] + sorted((SOURCE / "ports").rglob("*.py"))


def public_members(path: Path) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in tree_of(path).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if path.stem == "ports" or path.parent.name == "ports":
                yield from (
                    member
                    for member in node.body
                    if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) and not member.name.startswith("_")
                )


def test_promises_are_documented() -> None:
    assert contracts()
    assert not [
        Place(path, node.lineno, node.name)
        for path in contracts()
        for node in public_members(path)
        if not ast.get_docstring(node)
    ]


def test_public_names_are_few_and_documented() -> None:
    names = leadline.__all__
    assert 0 < len(names) <= PUBLIC_NAMES
    assert [name for name in names if not getattr(leadline, name).__doc__] == []


# -------------------------------------------------------------------------------------- import rules


def test_vendor_contract_names_every_dependency() -> None:
    """The core's list of forbidden libraries cannot fall behind the list of dependencies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rules = project["tool"]["importlinter"]["contracts"]
    forbidden = next(rule for rule in rules if rule["id"] == "vendors")["forbidden_modules"]
    modules: dict[str, list[str]] = {}
    for module, distributions in metadata.packages_distributions().items():
        for distribution in distributions:
            modules.setdefault(distribution.lower().replace("_", "-"), []).append(module)
    required = {
        re.split(r"[<>=!\[ ]", requirement)[0].lower().replace("_", "-")
        for requirement in project["project"]["dependencies"]
    } - {"orjson", "json-repair"}
    missing = {name for name in required if not any(module in forbidden for module in modules[name])}
    assert not missing
