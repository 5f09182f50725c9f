"""Reading what a person points to: every way it can fail becomes one clear error."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mbti_core.errors import DataFormatError, DataUnavailableError, MbtiError


def listed(folder: Path) -> list[str]:
    """Return the sorted names in a folder; none if there is no such folder.

    Raises:
        DataUnavailableError: If the folder may not be read.
    """
    with reading(folder, "a folder"):
        try:
            return sorted(os.listdir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return []


@contextmanager
def reading(path: Path, what: str, broken: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turn what goes wrong inside the block into an error that names ``path``.

    Args:
        path: File or folder that is read.
        what: What it should be, with its article, e.g. ``a parquet file``.
        broken: What the reader raises where the content is not that.

    Raises:
        DataUnavailableError: If the path does not exist or may not be read.
        DataFormatError: If its content is not ``what``.
    """
    try:
        yield
    except MbtiError:
        raise
    except FileNotFoundError as error:
        raise DataUnavailableError(f"There is no file {str(path)!r}.", "Correct the path.") from error
    except PermissionError as error:
        raise DataUnavailableError(
            f"{str(path)!r} may not be read: permission denied.",
            f"Run 'chmod -R u+rX {path}', or choose another data root with --data-root or MBTI_DATA.",
        ) from error
    except broken as error:
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise DataFormatError(f"{path}: expected {what}; {reason}.", "Copy or download the file again.") from error


def not_there(dataset: str, folder: Path, expected: str) -> DataUnavailableError:
    """Return the error for a data set that is missing.

    Args:
        dataset: Its component id.
        folder: Where it was looked for.
        expected: What would be there.
    """
    name = dataset.rpartition("/")[2]
    return DataUnavailableError(f"{name} is not in {folder}: there is no {expected}.", _what_to_do(dataset))


def not_whole(dataset: str, folder: Path, missing: Iterable[str]) -> DataUnavailableError:
    """Return the error for a data set of which something is missing; it is called by its component id."""
    name = dataset.rpartition("/")[2]
    return DataUnavailableError(
        f"{name} is not whole in {folder}; missing: {', '.join(missing)}.", _what_to_do(dataset)
    )


def _what_to_do(dataset: str) -> str:
    return (
        f"Run 'mbti fetch dataset {dataset}' where there is a network, "
        "or name another data root with --data-root or MBTI_DATA."
    )
