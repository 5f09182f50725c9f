"""``mbti fetch``: get a data set from its publishers, checked, into the layout that its loader reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mbti_core.api import default_data_root
from mbti_core.cli.completion import complete_component
from mbti_core.cli.console import console, say
from mbti_core.cli.options import DataRoot, Modality
from mbti_core.cli.show import find_by_name
from mbti_core.errors import ConfigError, DataUnavailableError

if TYPE_CHECKING:
    from rich.progress import Progress

    from mbti_core.contracts.dataset import Card, Download, Origin
    from mbti_core.data.fetch import Meter

app = typer.Typer(name="fetch", help="Get what is published, with checksums.", rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Get what is published, with checksums."""


@app.command("dataset")
def dataset(
    name: Annotated[str, typer.Argument(metavar="NAME", autocompletion=complete_component("dataset"))],
    modality: Modality = None,
    data_root: DataRoot = None,
    offline: Annotated[bool, typer.Option("--offline", help="Refuse to download.  [else: MBTI_OFFLINE]")] = False,
) -> int:
    """Download a data set into the data root; says its licence and size first.

    After a failure, the same command goes on with the files that are whole.
    """
    from mbti_core.engine.config import settings_class  # noqa: PLC0415 - imports the component, so torch

    registered = find_by_name("dataset", name, modality)
    root = (data_root or default_data_root()).absolute()
    source: Any = settings_class(registered)()
    card, label = source.card(), registered.component.id
    if (found := _files(source, root)) is not None:
        say(f"{label} {f'is in {root}' if found else 'comes with its package'}. Nothing to do.")
        return 0
    if card.origin is None:
        raise ConfigError(f"{label} is not published: there is nothing to fetch.", f"Run 'mbti show dataset {label}'.")
    _describe(label, card)
    if not card.origin.downloads:
        raise DataUnavailableError(f"{label} is not offered to programs; the data root is {root}.", card.origin.by_hand)
    if offline or os.environ.get("MBTI_OFFLINE", "0") not in ("", "0"):
        raise DataUnavailableError(
            f"{label} is not in {root}, and nothing may be downloaded.", "Leave out --offline, and unset MBTI_OFFLINE."
        )
    return _fetch(source, card.origin, root)


def _files(source: Any, root: Path) -> list[Path] | None:
    """Return what the loader would read; None if that is not there."""
    try:
        files: list[Path] = source.files(root)
    except DataUnavailableError:
        return None
    return files


def _fetch(source: Any, origin: Origin, root: Path) -> int:
    from mbti_core.cli import INTERRUPTED  # noqa: PLC0415 - that module imports this one
    from mbti_core.data.fetch import fetch  # noqa: PLC0415 - used here alone

    try:
        with _meters() as meter:
            place = fetch(origin, root, meter)
    except KeyboardInterrupt:
        say("interrupted: the same command goes on with the files that are whole.")
        return INTERRUPTED
    source.files(root)  # says what is missing, should the publishers have changed their layout
    say(f"It is in {place}.")
    return 0


def _describe(label: str, card: Card) -> None:
    rows = ", ".join(f"{count:,} {part}" for part, count in card.counts.items())
    say(f"{label}: {rows} rows" if rows else label)
    say(f"  licence: {card.licence}")
    say(f"  cite: {card.citation}")
    assert card.origin is not None
    for download in card.origin.downloads:
        say(f"  {download.url} ({_size(download.size)}, {download.checksum})")


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


class _Bar:
    """A download on a terminal."""

    def __init__(self, shown: Progress, download: Download) -> None:
        self.total = download.size
        self._shown = shown
        self._task = shown.add_task(download.url.rpartition("/")[2], total=download.size)

    def update(self, amount: int) -> None:
        self._shown.update(self._task, advance=amount, total=self.total or None)

    def reset(self) -> None:
        self._shown.reset(self._task)

    def close(self) -> None:
        self._shown.refresh()


@contextmanager
def _meters() -> Iterator[Callable[[Download], Meter] | None]:
    """Give what makes a bar per download; None where there is no terminal."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn  # noqa: PLC0415 - used here alone

    out = console(stderr=True)
    if not (out.file.isatty() and out.is_interactive):
        yield None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(20), DownloadColumn())
    with Progress(*columns, console=out, refresh_per_second=4) as shown:
        yield lambda download: _Bar(shown, download)
