"""Pytest fixtures that fail a test which leaks: environment, global generators, threads, connections to other machines.

Not loaded by itself: write ``pytest_plugins = ["mbti_core.testing.pytest_plugin"]`` in the ``conftest.py`` at the root.
"""

from __future__ import annotations

import os
import random
import socket
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

_GRACE = 2.0  # seconds for a thread that is about to end
# pytest sets the first in each test, torch the second when the first optimizer of a process is made, scikit-learn the
# others when it is first imported.
_NOT_OURS = frozenset({"PYTEST_CURRENT_TEST", "TORCHINDUCTOR_CACHE_DIR", "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"})


@pytest.fixture(autouse=True)
def no_environment_leak() -> Iterator[None]:
    """Fail a test that leaves environment variables changed; puts them back."""
    before = _environment()
    yield
    after = _environment()
    changed = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
    for name in changed:
        if name in before:
            os.environ[name] = before[name]
        else:
            del os.environ[name]
    if changed:
        pytest.fail(f"the test left environment variables changed: {', '.join(changed)}. Use monkeypatch.setenv.")


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in _NOT_OURS}


@pytest.fixture(autouse=True)
def no_generator_leak(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that draws from Python's or numpy's global generator, or reseeds torch's; puts them back.

    Drawing from torch's is allowed: layers are initialized from it, and each test finds it seeded by its own name.
    """
    seed = zlib.crc32(request.node.nodeid.encode())
    state, legacy = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")
    kept = torch.random.get_rng_state() if torch else None
    if torch:
        torch.manual_seed(seed)
    yield
    changed = []
    if random.getstate() != state:
        changed.append("drew from or reseeded Python's")
    if not _same(np.random.get_state(), legacy):
        changed.append("drew from or reseeded numpy's")
    if torch and torch.initial_seed() != seed:
        changed.append("reseeded torch's")
    random.setstate(state)
    np.random.set_state(legacy)
    if torch and kept is not None:
        torch.random.set_rng_state(kept)
    if changed:
        text = "; ".join(changed)
        pytest.fail(
            f"the test {text} global generator. Pass a generator, or use mbti_core.data.rng.scoped_globals(seed)."
        )


def _same(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.fixture(autouse=True)
def no_thread_leak() -> Iterator[None]:
    """Fail a test that leaves a thread running."""
    before = set(threading.enumerate())
    yield
    end = time.monotonic() + _GRACE
    while (left := [t for t in threading.enumerate() if t not in before]) and time.monotonic() < end:
        left[0].join(0.05)
    if left:
        names = ", ".join(t.name for t in left)
        pytest.fail(f"the test left threads running: {names}. Join them, or close what started them.")


@pytest.fixture(autouse=True)
def no_outside_connection(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that looks up or connects to another machine, unless it is marked ``network``."""
    if request.node.get_closest_marker("network"):
        yield
        return
    tried: list[str] = []

    def refuse(host: Any) -> None:
        if not _local(host):
            tried.append(str(host))
            raise OSError(f"tests may not reach {host}")

    connect, lookup = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            refuse(address[0])
        connect(self, address)

    def guarded_lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        refuse(host)
        return lookup(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_lookup)
    yield
    if tried:
        pytest.fail(f"the test tried to reach {', '.join(tried)}. Mark it 'network', or serve it from this machine.")


def _local(host: Any) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    return name is None or name in ("", "localhost", "::1", "0.0.0.0", "::") or str(name).startswith("127.")
