"""The interpreter that a sandbox sees: a folder of its own, read-only and compiled, or ours in place.

`install` copies the running interpreter without tests and tools, adds packages, compiles
everything, and takes the right to write away. Without it the sandbox runs the interpreter that
Leadline runs on, with the standard library alone.
"""

from __future__ import annotations

import os
import platform
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from leadline.errors import SettingsError

PACKAGES: Final = ("numpy", "pandas", "scipy", "sympy", "matplotlib")
_VERSION: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
_MANIFEST: Final = "manifest.json"
_UNNEEDED: Final = (
    *("test", "tests", "idlelib", "idle_test", "tkinter", "turtledemo", "lib2to3", "ensurepip"),
    *("site-packages", "dist-packages", "config-*", "pydoc_data"),
)
_SECONDS: Final = 1_800


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """An interpreter and all that it may read of its own.

    `read` are the folders and files to show; `site` holds the packages, `libraries` the shared
    library of the interpreter, both `None` where there are none.
    """

    python: Path
    read: tuple[Path, ...]
    site: Path | None = None
    libraries: Path | None = None
    packages: tuple[str, ...] = ()

    @property
    def preload(self) -> tuple[str, ...]:
        """The packages worth importing ahead of a program."""
        return tuple(name for name in ("numpy", "pandas") if name in self.packages)


def in_place() -> Tree:
    """Return the interpreter that runs this program, with the standard library alone."""
    python, standard, library = _running()
    read = (python, standard, *((library,) if library else ()))
    return Tree(python=python, read=read, libraries=library.parent if library else None)


def find(folder: Path) -> Tree | None:
    """Return the tree installed below `folder` for this version of Python, `None` where there is none.

    Raises `SettingsError` for one that is damaged.
    """
    tree = _home(folder)
    if not tree.is_dir():
        return None
    try:
        packages = tuple(map(str, orjson.loads((tree / _MANIFEST).read_bytes())["packages"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"`{tree}` is damaged; run `leadline sandbox install` again") from error
    python = tree / "bin" / f"python{_VERSION}"
    return Tree(python=python, read=(tree,), site=tree / "site", libraries=tree / "lib", packages=packages)


def install(folder: Path, *, packages: Sequence[str] = PACKAGES, tell: Callable[[str], None] = lambda _: None) -> Tree:
    """Build the tree anew below `folder` and return it; the old one stands until the new one is whole.

    Only binary packages are taken: building one would run its code here. `tell` hears what is
    being done. Blocks for minutes. Raises `SettingsError` where pip fails or cannot be found.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="new-", dir=folder, ignore_cleanup_errors=True) as scratch:
        tree = Path(scratch) / "tree"
        tell("copying the interpreter")
        _copy_interpreter(tree)
        names = _add_packages(tree, packages, tell)
        tell("compiling")
        _compile(tree)
        (tree / _MANIFEST).write_bytes(orjson.dumps({"python": platform.python_version(), "packages": names}))
        _protect(tree)
        _replace(tree, _home(folder))
    found = find(folder)
    if found is None:
        raise SettingsError(f"`{_home(folder)}` went away while it was being built; run it again")
    return found


def _home(folder: Path) -> Path:
    return folder / f"python-{_VERSION}-{platform.machine()}"


def _running() -> tuple[Path, Path, Path | None]:
    """Return the real interpreter (not a virtual environment's), its library folder, its shared library."""
    base = Path(sys.base_prefix).resolve()
    named = (base / "bin" / f"python{_VERSION}", base / "bin" / "python3", Path(sys.executable))
    python = next((path.resolve() for path in named if path.exists()), Path(sys.executable).resolve())
    standard = Path(sysconfig.get_path("stdlib")).resolve()
    library = None
    if sysconfig.get_config_var("Py_ENABLE_SHARED"):
        path = Path(str(sysconfig.get_config_var("LIBDIR")), str(sysconfig.get_config_var("INSTSONAME")))
        library = path.resolve() if path.exists() else None
    return python, standard, library


def _copy_interpreter(tree: Path) -> None:
    python, standard, library = _running()
    (tree / "bin").mkdir(parents=True)
    (tree / "site").mkdir()
    shutil.copy2(python, tree / "bin" / f"python{_VERSION}")
    shutil.copytree(
        standard, tree / "lib" / f"python{_VERSION}", ignore=shutil.ignore_patterns(*_UNNEEDED), symlinks=False
    )
    if library is not None:
        shutil.copy2(library, tree / "lib" / library.name)


def _add_packages(tree: Path, packages: Sequence[str], tell: Callable[[str], None]) -> list[str]:
    """Install with pip and return the names of what can be imported now."""
    if not packages:
        return []
    tell(f"installing {', '.join(packages)}")
    with tempfile.TemporaryDirectory() as scratch:
        environment = Path(scratch) / "venv"
        made = _run([sys.executable, "-m", "venv", str(environment)])
        if made.returncode:
            raise SettingsError("no virtual environment could be made; on Debian: apt-get install python3-venv")
        command = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-compile"]
        command += ["--disable-pip-version-check", "--only-binary", ":all:", "--target", str(tree / "site")]
        done = _run([*command, "--", *packages])
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise SettingsError(
            f"pip could not install {', '.join(packages)}: {last[0]}; it needs a package index that it can reach, "
            "see `pip config list`"
        )
    return sorted(path.name for path in (tree / "site").iterdir() if (path / "__init__.py").exists())


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)


def _compile(tree: Path) -> None:
    """Compile without times or hashes to check: nothing in the tree ever changes."""
    command = [sys.executable, "-m", "compileall", "-q", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    # Files that do not compile (templates, code for other versions) are left as they are.
    _run([*command, "-f", str(tree / "lib"), str(tree / "site")])


def _protect(tree: Path) -> None:
    """Let everybody read, nobody write: the sandbox's user is a stranger."""
    for folder, _, files in os.walk(tree, topdown=False):
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o555 if path.stat().st_mode & stat.S_IXUSR else 0o444)
        Path(folder).chmod(0o555)


def _replace(tree: Path, home: Path) -> None:
    tree.chmod(0o755)  # the name of a folder that may not be written cannot be changed
    old = tree.with_name("old")
    if home.exists():
        home.chmod(0o755)
        home.rename(old)
    tree.rename(home)
    home.chmod(0o555)
    if old.exists():
        _discard(old)


def _discard(tree: Path) -> None:
    for folder, _, _ in os.walk(tree):
        Path(folder).chmod(0o755)
    shutil.rmtree(tree)
