"""``mbti store``: look at artifacts, check them, remove what nothing needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mbti_core.cli.console import print_json, print_table, say
from mbti_core.cli.options import Json, StoreRoot, open_store
from mbti_core.engine.store import ArtifactRef, Store
from mbti_core.errors import ArtifactError, ConfigError

app = typer.Typer(name="store", help="Artifacts: list, look at, check, clean.", rich_markup_mode=None)


@app.command("ls")
def ls(json: Json = False, store: StoreRoot = None) -> None:
    """List the artifacts."""
    opened = open_store(store)
    found = [_facts(opened, ref) for ref in opened.artifacts()]
    if json:
        print_json({"store": str(opened.root), "artifacts": found})
        return
    rows = [(f["stage"], f["label"], f["key"][:12], _size(f["bytes"]), f"{f['seconds']:.1f} s") for f in found]
    if rows:
        print_table(("stage", "what", "key", "size", "time"), rows)
    say(f"{len(found)} artifacts, {_size(sum(f['bytes'] for f in found))}, in {opened.root}")


@app.command("show")
def show(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The first digits of a key, or stage/key.")],
    json: Json = False,
    store: StoreRoot = None,
) -> None:
    """Show an artifact: what it was made of, with what, when, and its files."""
    opened = open_store(store)
    ref = _find(opened, key)
    manifest = opened.manifest(ref.stage, ref.key)
    if json:
        print_json({"artifact": manifest, "folder": str(ref.folder)})
        return
    from ruamel.yaml import YAML  # noqa: PLC0415 - needed here alone

    yaml = YAML()
    yaml.width = 4096  # a digest stays on its line
    yaml.default_flow_style = False
    yaml.dump({"folder": str(ref.folder), **manifest}, typer.get_text_stream("stdout"))


@app.command("verify")
def verify(json: Json = False, store: StoreRoot = None) -> None:
    """Recompute every digest and name the files that are damaged."""
    opened = open_store(store)
    problems, count = opened.verify(), sum(1 for _ in opened.artifacts())
    if json:
        print_json({"store": str(opened.root), "artifacts": count, "problems": problems})
    elif problems:
        print_table(("damaged",), [(problem,) for problem in problems])
    if problems:
        hint = "Remove the artifact's folder; the next run makes it again."
        raise ArtifactError(f"{len(problems)} files of {count} artifacts in {opened.root} are damaged.", hint)
    say(f"{count} artifacts in {opened.root}: every file is as it was written")


@app.command("gc")
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, and keep it.")] = False,
    json: Json = False,
    store: StoreRoot = None,
) -> None:
    """Remove artifacts that no result stands on, and what killed runs left."""
    opened = open_store(store)
    sizes = {folder: _bytes(folder) for folder in opened.gc(dry_run=True)}
    removed = sorted(sizes if dry_run else opened.gc(dry_run=False))
    total = sum(sizes.get(folder, 0) for folder in removed)
    if json:
        print_json(
            {"store": str(opened.root), "removed": [str(f) for f in removed], "bytes": total, "dry_run": dry_run}
        )
        return
    for folder in removed:
        typer.echo(folder.relative_to(opened.root))
    say(f"{len(removed)} folders, {_size(total)}, {'would go' if dry_run else 'removed'}")


def _find(store: Store, text: str) -> ArtifactRef:
    stage, _, key = text.rpartition("/")
    found = [r for r in store.artifacts() if r.key.startswith(key) and r.stage.startswith(stage)]
    if not found:
        raise ConfigError(f"No artifact in {store.root} has a key that starts with {key!r}.", "Run 'mbti store ls'.")
    if len(found) > 1:
        raise ConfigError(
            f"{len(found)} artifacts have keys that start with {key!r}.",
            f"Give more digits: {', '.join(f'{r.stage}/{r.key[:12]}' for r in found[:5])}.",
        )
    return found[0]


def _facts(store: Store, ref: ArtifactRef) -> dict[str, Any]:
    manifest = store.manifest(ref.stage, ref.key)
    facts = {"stage": ref.stage, "key": ref.key, "label": manifest["label"], "seconds": manifest["seconds"]}
    return {**facts, "bytes": _bytes(ref.folder), "folder": str(ref.folder)}


def _bytes(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
