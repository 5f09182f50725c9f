from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

ARGS = ("-p", "mbti_core.testing.pytest_plugin", "-p", "no:cacheprovider")

LEAKING = """
import contextlib, os, random, socket, threading, time
import numpy as np
import torch

def test_variable():
    os.environ["MBTI_LEFT"] = "1"

def test_next_after_variable():
    assert "MBTI_LEFT" not in os.environ

def test_removed_variable():
    del os.environ["HOME"]

def test_python_generator():
    random.random()

def test_numpy_generator():
    np.random.seed(1)

def test_torch_seed():
    torch.manual_seed(1)

def test_thread():
    threading.Thread(target=time.sleep, args=(20,), daemon=True, name="sleeper").start()

def test_connection():
    with contextlib.suppress(OSError), socket.socket() as s:
        s.connect(("192.0.2.1", 80))

def test_look_up():
    with contextlib.suppress(OSError):
        socket.getaddrinfo("example.com", 80)
"""

MESSAGES = {
    "test_variable": "MBTI_LEFT",
    "test_removed_variable": "HOME",
    "test_python_generator": "drew from or reseeded Python's",
    "test_numpy_generator": "drew from or reseeded numpy's",
    "test_torch_seed": "reseeded torch's",
    "test_thread": "threads running: sleeper",
    "test_connection": "tried to reach 192.0.2.1",
    "test_look_up": "tried to reach example.com",
}

CLEAN = """
import random, socket, threading
import torch
from mbti_core.data.rng import scoped_globals

def test_layers_and_scoped_draws():
    torch.nn.Linear(2, 2)
    with scoped_globals(3):
        random.random()
        torch.manual_seed(1)

def test_monkeypatch(monkeypatch):
    monkeypatch.setenv("MBTI_SET", "1")

def test_thread_that_ends():
    threading.Thread(target=lambda: None).start()

def test_this_machine():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()

def test_starts_from_its_own_seed():
    same = torch.Generator().manual_seed(torch.initial_seed())
    assert torch.rand(()) == torch.rand((), generator=same)
"""


def test_a_leaking_test_fails_and_says_what_leaked(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(LEAKING)
    result = pytester.runpytest_subprocess(*ARGS)
    result.assert_outcomes(passed=len(MESSAGES) + 1, errors=len(MESSAGES))
    reports = result.stdout.str().split("ERROR at teardown of ")[1:]
    said = {report.split(" ", 1)[0]: report for report in reports}
    assert said.keys() == MESSAGES.keys()
    assert [name for name, message in MESSAGES.items() if message not in said[name]] == []


def test_what_puts_things_back_passes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(CLEAN)
    pytester.runpytest_subprocess(*ARGS).assert_outcomes(passed=5)
