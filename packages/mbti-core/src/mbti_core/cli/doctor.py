"""``mbti doctor``: what is installed, what works, where things are."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any

from mbti_core.api import default_data_root, default_store
from mbti_core.cli.console import console, print_json, print_table
from mbti_core.cli.options import DataRoot, Json, StoreRoot
from mbti_core.errors import MbtiError
from mbti_core.plugins.manager import registry

_FITS: Mapping[str, Callable[[int, int], bool]] = {
    "torchvision": lambda torch, own: own == torch + 15,  # 0.26 goes with 2.11
    # 2.11 is the last release; it declares no dependency on torch, and its import raises from 2.15 on.
    "torchaudio": lambda torch, own: own == torch or (own == 11 and 11 <= torch < 15),
}
"""Whether a companion's minor version goes with torch's."""
OFFLINE_FLAGS = ("MBTI_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


def doctor(data_root: DataRoot = None, store: StoreRoot = None, json: Json = False) -> int:
    """Show versions, plugins, devices, folders, and what is wrong."""
    folders = {"data root": _folder(data_root or default_data_root()), "store": _folder(store or default_store())}
    facts = {
        "versions": _versions(),
        "plugins": [vars(status) for status in registry().statuses],
        "compute": _compute(),
        "folders": folders,
        "offline": {name: os.environ.get(name, "") for name in OFFLINE_FLAGS},
    }
    problems = _problems(facts)
    if json:
        print_json({**facts, "problems": problems})
    else:
        _print(facts, problems)
    return MbtiError.exit_code if problems else 0


def torch_pair_problems(found: Mapping[str, str]) -> list[str]:
    """Say which companions of torch do not fit the torch that is there.

    Args:
        found: Versions by package.
    """
    torch = _minor(found.get("torch", ""))
    pairs = [(name, _minor(found.get(name, "")), fits) for name, fits in _FITS.items()]
    return [
        f"{name} {found[name]} does not fit torch {found['torch']}."
        for name, minor, fits in pairs
        if torch is not None and minor is not None and not fits(torch, minor)
    ]


def _minor(text: str) -> int | None:
    parts = text.split(".")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else None


def _versions() -> dict[str, str]:
    ours = sorted({d.name for d in distributions() if d.name and d.name.startswith("mbti-")})
    found = {"python": platform.python_version()}
    for name in (*ours, "torch", "torchvision", "torchaudio", "numpy", "scikit-learn", "pyarrow", "pydantic"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _compute() -> dict[str, Any]:
    from mbti_core.engine.numerics import choose_device, choose_threads, cores, cpu_gains_from_bf16  # noqa: PLC0415 - used here alone

    facts: dict[str, Any] = {
        "cores": cores(),
        "threads of a large model": choose_threads({"large"}),
        "bf16 on the CPU": cpu_gains_from_bf16(),
    }
    try:
        import torch  # noqa: PLC0415 - the one diagnosis that needs it
    except (ImportError, OSError) as error:  # a missing shared library is an OSError
        return {**facts, "error": f"torch cannot be imported: {error}"}
    devices = [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    isa = torch.backends.cpu.get_cpu_capability()
    return {**facts, "instruction set": isa, "devices": ["cpu", *devices], "--device auto": choose_device("auto")}


def _folder(path: Path) -> dict[str, Any]:
    """Look at a folder, or at the nearest one above it that exists."""
    there = next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
    facts = {"path": str(path.absolute()), "exists": path.is_dir(), "readable": os.access(there, os.R_OK | os.X_OK)}
    free = shutil.disk_usage(there).free
    return {**facts, "writable": there.is_dir() and os.access(there, os.W_OK | os.X_OK), "free_bytes": free}


def _problems(facts: dict[str, Any]) -> list[str]:
    problems = [f"plugin {p['name']}: {p['error']}" for p in facts["plugins"] if p["error"]]
    problems += torch_pair_problems(facts["versions"])
    problems += [facts["compute"]["error"]] if "error" in facts["compute"] else []
    data, store = facts["folders"]["data root"], facts["folders"]["store"]
    problems += [] if data["readable"] else [f"data root: {data['path']} may not be read."]
    problems += [] if store["writable"] else [f"store: {store['path']} may not be written."]
    return problems


def _print(facts: dict[str, Any], problems: Sequence[str]) -> None:
    print_table(("package", "version"), facts["versions"].items())
    states = [(p["name"], p["version"], "blocked" if p["blocked"] else p["error"] or "works") for p in facts["plugins"]]
    print_table(("plugin", "version", "state"), states)
    print_table(("compute", ""), [(k, _words(v)) for k, v in facts["compute"].items()])
    print_table(
        ("folder", "path", "state", "free"),
        [(k, f["path"], _state(f), f"{f['free_bytes'] / 1e9:.1f} GB") for k, f in facts["folders"].items()],
    )
    print_table(("offline flag", "value"), [(k, v or "not set") for k, v in facts["offline"].items()])
    for problem in problems:
        console().print(f"problem: {problem}", soft_wrap=True)
    if not problems:
        console().print("No problem found.")


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _state(folder: dict[str, Any]) -> str:
    words = "exists" if folder["exists"] else "not there yet"
    return f"{words}, {'writable' if folder['writable'] else 'read-only' if folder['readable'] else 'no permission'}"
