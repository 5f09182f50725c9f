"""Ways to run stages: here and now, or in worker processes."""

from __future__ import annotations

import multiprocessing
import signal
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
    """Return a pool of fresh processes: a fork would inherit torch's threads. Ctrl-C ends them without a word."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(
        max(1, workers), mp_context=context, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_DFL)
    )


BUILT_IN: Mapping[str, ExecutorFactory] = {"serial": lambda _workers: SerialExecutor(), "processes": processes}
