"""What a scan leaves behind for a person: a page, the reversed triggers as files, and all scored samples as a table."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import torch

from mbti_core.errors import NotSupportedError
from mbti_core.judging.verdict import Scan, clean_rows
from mbti_core.plugins.adapters import Adapters
from mbti_core.results.markup import templates
from mbti_core.results.writing import write_whole

_SHOWN = 12


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        page: The HTML page.
        table: All scored samples, the most suspicious first.
        triggers: A file per reversed trigger, the surest first, by defense and class.
        words: The same in words, where triggers can be written.
    """

    page: Path
    table: Path
    triggers: dict[tuple[str, str], list[Path]]
    words: dict[tuple[str, str], list[str]]


def write_scan(scan: Scan, folder: Path) -> Written:
    """Write ``report.html``, ``samples.csv`` and ``trigger-DEFENSE-CLASS.*`` to a folder, which is made.

    Of several triggers towards one class, the second and later names end in ``-2``, ``-3``, and so on.

    Raises:
        ConfigError: If a file cannot be written.
    """
    adapters, modality = scan.case.plan.adapters, scan.case.plan.info.modality
    files: dict[tuple[str, str], list[Path]] = defaultdict(list)
    words: dict[tuple[str, str], list[str]] = defaultdict(list)
    figures = []
    for about, count, sample in _triggers(scan):
        try:
            ending, contents = adapters.files(sample, modality)
            name = "-".join((*about, str(count)) if count > 1 else about)
            files[about].append(write_whole(folder / f"trigger-{quote(name, safe=' ')}{ending}", contents[0]))
            shown = adapters.render(sample, modality)[0]
        except NotSupportedError:
            continue
        figures.append(_figure(shown.html, ": ".join(about)))
        if shown.text:
            words[about].append(shown.text)
    table = write_whole(folder / "samples.csv", _table(scan))
    page = (
        templates()
        .get_template("scan.html")
        .render(
            title=scan.word.capitalize(),
            scan=scan,
            triggers="".join(figures),
            samples=_samples(scan, adapters, modality),
            facts=_facts(scan).items(),
        )
    )
    return Written(write_whole(folder / "report.html", page.encode()), table, files, words)


def _triggers(scan: Scan) -> Iterator[tuple[tuple[str, str], int, Any]]:
    """Yield defense and class, its place among the class's, and the trigger."""
    for finding in scan.findings:
        for name, samples in finding.triggers.items():
            for count, sample in enumerate(samples, 1):
                yield (finding.name, name), count, sample


def _figure(html: str, caption: str) -> str:
    return f"<figure>{html}<figcaption>{escape(caption)}</figcaption></figure>"


def _samples(scan: Scan, adapters: Adapters, modality: str) -> str:
    """Return the most suspicious samples, in the order of their rank; nothing where no sample is flagged."""
    first = [s for s in scan.suspects[:_SHOWN] if s.flagged_by]
    if not first:
        return ""
    ordered = sorted(first, key=lambda s: s.row)
    try:
        pages = adapters.render(scan.case.split.take(torch.tensor([s.row for s in ordered])), modality)
    except NotSupportedError:
        return ""
    html = {s.row: page.html for s, page in zip(ordered, pages, strict=True)}
    return "".join(_figure(html[s.row], f"{s.name} ({', '.join(s.flagged_by)})") for s in first)


def _table(scan: Scan) -> bytes:
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(("sample", "label", "rank", "flagged_by"))
    for s in scan.suspects:
        rows.writerow((s.name, s.label, f"{s.rank:.6f}", " ".join(s.flagged_by)))
    return text.getvalue().encode()


def _facts(scan: Scan) -> dict[str, Any]:
    case, asked = scan.case, scan.asked
    return {
        "model": f"{asked.model} ({case.plan.info.arch})",
        "data": f"{asked.data}, {len(case.split):,} samples, {len(case.classes)} classes",
        "clean samples": f"{asked.clean}, {clean_rows(case):,}" if asked.clean else "none",
        "labels that the model gives too": f"{case.accuracy:.1%}",
        "seed": asked.seed,
        "mbti-core": version("mbti-core"),
    }
