"""What ``mbti scan`` does and says, once torch may be imported."""

from __future__ import annotations

import json as documents
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mbti_core.cli.console import console, print_json, print_table, say
from mbti_core.engine.overrides import parse_set
from mbti_core.errors import ConfigError
from mbti_core.judging.case import Asked
from mbti_core.judging.page import Written, write_scan
from mbti_core.judging.sarif import sarif as as_sarif
from mbti_core.judging.scanning import scan
from mbti_core.judging.verdict import Scan
from mbti_core.plugins.manager import registry
from mbti_core.results.writing import write_whole

_LISTED = 10


def settings(texts: Iterable[str]) -> Mapping[str, Mapping[str, Any]]:
    """Read ``NAME.KEY=VALUE``.

    Raises:
        ConfigError: If one is of another form.
    """
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        override = parse_set(text)
        if len(override.path) != 2:
            raise ConfigError(f"{override.label}: expected NAME.KEY=VALUE.", "For example --set nc.steps=50.")
        found.setdefault(override.path[0], {})[override.path[1]] = override.value
    return found


def run(asked: Asked, device: str, output: Path, sarif: Path | None, *, json: bool) -> int:
    """Scan, write what there is to look at, and say the verdict; return the exit code.

    Raises:
        MbtiError: For every mistake in what was given.
    """
    found = scan(asked, registry(), device, lambda name: say(f"running {name} ..."))
    written = write_scan(found, output)
    if sarif is not None:
        write_whole(sarif, documents.dumps(as_sarif(found), indent=2).encode())
    if json:
        files = {"/".join(about): [str(path) for path in paths] for about, paths in written.triggers.items()}
        print_json({**found.to_json(), "report": str(written.page), "samples": str(written.table), "triggers": files})
    else:
        _tell(found, written)
    return found.exit_code


def _tell(found: Scan, written: Written) -> None:
    page = console()
    page.print(f"{found.word}\n", style="bold red" if found.exit_code else "bold")
    for reason in found.why:
        page.print(f"  {reason}", soft_wrap=True)
    print_table(
        ("defense", "alarm", "reason", "how often it errs"),
        [(f.name, "yes" if f.status == "alarm" else "no", f.reason, f.known) for f in found.ran],
    )
    for names in found.not_run:
        page.print(f"not run: {names}", soft_wrap=True)
    for about, paths in written.triggers.items():
        defense, name = about
        known = written.words.get(about) or [str(path) for path in paths]
        page.print(f"trigger towards {name!r} ({defense}): {' or '.join(known)}", soft_wrap=True)
    first = [s for s in found.suspects[:_LISTED] if s.flagged_by]
    if first:
        page.print("samples to look at first:")
        print_table(("sample", "label", "flagged by"), [(s.name, s.label, ", ".join(s.flagged_by)) for s in first])
    for remark in found.case.remarks:
        page.print(f"note: {remark}", soft_wrap=True)
    page.print(f"report: {written.page}; samples: {written.table}", soft_wrap=True)
