"""Ways to run stages: here and now, or in worker processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any

ExecutorFactory = Callable[[int], Executor]


class SerialExecutor(Executor):
    """Runs each call at once, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return a future that is already done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def processes(workers: int) -> Executor:
    """Return a pool of fresh processes: a fork would inherit torch's threads.

    Ctrl-C ends them without a word, and so does the end of the process that asked for them, however it came.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(max(1, workers), mp_context=context, initializer=_end_with_parent)


def _end_with_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)  # a killed parent can no longer take what this process would give

    threading.Thread(target=watch, daemon=True).start()


BUILT_IN: Mapping[str, ExecutorFactory] = {"serial": lambda _workers: SerialExecutor(), "processes": processes}
