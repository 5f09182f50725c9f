"""Options that several commands share, and the folders that they lead to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mbti_core.api import default_store
from mbti_core.cli.completion import SPEC, complete_modality
from mbti_core.contracts.component import KINDS
from mbti_core.engine.store import DIGESTS, Store
from mbti_core.errors import ConfigError, near_names

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Modality = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only this modality.", autocompletion=complete_modality)
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Where data sets are.  [else: MBTI_DATA, or the user's data folder]", show_default=False
    ),
]
StoreRoot = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="FOLDER",
        help="Where artifacts and results go.  [else: MBTI_STORE, or ./runs]",
        show_default=False,
    ),
]


def open_store(given: Path | None) -> Store:
    """Open the store to look at; a folder that holds something else is refused.

    Raises:
        ConfigError: If the folder is no store.
        ArtifactError: If a newer version wrote it.
    """
    store = Store(given or default_store())
    names = {path.name for path in store.root.iterdir()} if store.root.exists() else set()
    if "store.json" not in names and names - {DIGESTS}:  # a dry run leaves digests alone
        raise ConfigError(f"{store.root} is no store: it holds no store.json.", "Name the store's folder with --store.")
    return store


def kind_of(word: str) -> str:
    """Read a kind in singular or plural.

    Raises:
        ConfigError: If there is none of this name.
    """
    known = {name: kind for kind in (*KINDS, SPEC) for name in (kind, f"{kind}s")}
    if word in known:
        return known[word]
    hint = near_names(word, known) or f"The kinds are {', '.join((*KINDS, SPEC))}."
    raise ConfigError(f"There is no kind of component called {word!r}.", hint)
