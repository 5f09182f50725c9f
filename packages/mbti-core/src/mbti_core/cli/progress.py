"""Progress of a run on stderr: bars on a terminal, plain lines elsewhere if asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from mbti_core.cli.console import console

if TYPE_CHECKING:
    from rich.console import Console

    from mbti_core.engine.graph import Node
    from mbti_core.engine.runner import Listener


class Lines:
    """Prints a line per stage."""

    def __init__(self, out: Console) -> None:
        self._out = out

    def stage_started(self, node: Node) -> None:
        """Say that a stage starts."""
        self._print(node, "started")

    def stage_finished(self, node: Node, seconds: float, cached: bool) -> None:
        """Say how long a stage took."""
        self._print(node, "cached" if cached else f"{seconds:.1f} s")

    def stage_failed(self, node: Node, error: BaseException) -> None:
        """Say that a stage failed; why is said when the run ends."""
        self._print(node, f"failed ({type(error).__name__})")

    def epoch(self, node: Node, done: int, total: int) -> None:
        """Say nothing: a log needs no epochs."""

    def _print(self, node: Node, what: str) -> None:
        self._out.print(f"{node.stage:<8} {node.label}: {what}", soft_wrap=True)


class Bars(Lines):
    """Shows a bar per running stage, and leaves a line for each that is done."""

    def __init__(self, bars: Progress, total: int | None) -> None:
        super().__init__(bars.console)
        self._bars = bars
        self._all = bars.add_task("stages", total=total)
        self._running: dict[str, TaskID] = {}

    def stage_started(self, node: Node) -> None:
        """Add a bar."""
        self._running[node.ref] = self._bars.add_task(f"{node.stage:<8} {node.label}", total=None)

    def stage_finished(self, node: Node, seconds: float, cached: bool) -> None:
        """Replace the bar by a line."""
        self._done(node)
        super().stage_finished(node, seconds, cached)

    def stage_failed(self, node: Node, error: BaseException) -> None:
        """Replace the bar by a line."""
        self._done(node)
        super().stage_failed(node, error)

    def epoch(self, node: Node, done: int, total: int) -> None:
        """Move the bar."""
        self._bars.update(self._running[node.ref], completed=done, total=total)

    def _done(self, node: Node) -> None:
        self._bars.remove_task(self._running.pop(node.ref))
        self._bars.advance(self._all)


@contextmanager
def progress(total: int | None, *, verbose: bool) -> Iterator[Listener | None]:
    """Give a listener: bars on a terminal, lines elsewhere if ``verbose``, else None.

    Args:
        total: Stages to run, where that is known.
        verbose: Whether to print lines where there is no terminal.
    """
    out = console(stderr=True)
    if not (out.file.isatty() and out.is_interactive):
        yield Lines(out) if verbose else None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(20), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=out, transient=True, refresh_per_second=4) as bars:
        yield Bars(bars, total)
