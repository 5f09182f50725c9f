"""A new plugin project, from the template beside this file."""

from __future__ import annotations

import re
import shutil
import tempfile
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from string import Template

from mbti_core.errors import ConfigError, PluginConflictError
from mbti_core.plugins.manager import registry

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def new_plugin(name: str, parent: Path) -> Path:
    """Write a plugin project into ``parent/name``, whole or not at all.

    Args:
        name: Of the project, the plugin, and the attack in it.
        parent: Where its folder goes.

    Returns:
        The new folder.

    Raises:
        ConfigError: If the name is not fit, or the folder is there or cannot be written.
        PluginConflictError: If a plugin or an attack has that name.
    """
    _refuse_names(name)
    target = parent / name
    if target.exists():
        raise ConfigError(f"{target} is there already, and nothing is overwritten.", "Choose another name or folder.")
    module = name.replace("-", "_")
    words = {"name": name, "module": module, "class_name": "".join(w.capitalize() for w in name.split("-"))}
    try:
        with tempfile.TemporaryDirectory(dir=parent, prefix=f".{name}-") as folder:
            part = Path(folder) / name
            _fill(files("mbti_core.cli").joinpath("plugin_template"), part, words)
            (part / "src" / "module").rename(part / "src" / module)
            shutil.move(part, target)
    except OSError as error:
        raise ConfigError(
            f"{target} cannot be written: {error.strerror}.", "Go to a folder that you may write."
        ) from error
    return target


def _refuse_names(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"plugin name: expected lower-case words joined by '-', got {name!r}.", "For example my-attack."
        )
    module = name.replace("-", "_")
    if iskeyword(module) or find_spec(module):
        raise ConfigError(f"{module!r} is a word or a package of Python already.", "Choose another name.")
    plugins = {status.name for status in registry().statuses}
    attacks = {found.component.name for found in registry().components("attack")}
    if name in plugins | attacks:
        kind = "A plugin" if name in plugins else "An attack"
        raise PluginConflictError(f"{kind} called {name!r} is installed.", "Choose another name.")


def _fill(source: Traversable, target: Path, words: dict[str, str]) -> None:
    target.mkdir()
    for entry in source.iterdir():
        if entry.is_dir():
            _fill(entry, target / entry.name, words)
        elif entry.name.endswith(".in"):
            text = Template(entry.read_text(encoding="utf-8")).substitute(words)
            (target / entry.name.removesuffix(".in")).write_text(text, encoding="utf-8")
