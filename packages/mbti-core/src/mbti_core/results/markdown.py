"""Panels as Markdown pipe tables."""

from __future__ import annotations

from mbti_core.results.panels import Line, Panel, Panels


def to_markdown(panels: Panels) -> str:
    """Return the panels as Markdown, one heading and table each, and the notes."""
    below = [panels.legend, *(f"{mark}: {meaning}" for mark, meaning in panels.marks)]
    below += [f"[{place}] {note}" for place, note in enumerate(panels.notes, start=1)]
    parts = [" · ".join(panels.caption), *(_panel(panel) for panel in panels.tables)]
    return "\n\n".join([*filter(None, parts), "\n".join(f"- {_plain(line)}" for line in below)]) + "\n"


def _panel(panel: Panel) -> str:
    remarks = any(line.remarks for line in panel.lines)
    headings = [column.heading.replace("-\n", "").replace("\n", " ") for column in panel.columns]
    rules = ["---" if place < panel.leading else "---:" for place in range(len(headings))]
    body = [[_plain(str(cell)) for cell in line.cells] + [_remarks(line)] * remarks for line in panel.lines]
    table = [headings + ["Remarks"] * remarks, rules + ["---"] * remarks, *body]
    rows = "\n".join("| " + " | ".join(cells) + " |" for cells in table)
    return "\n\n".join(filter(None, [f"### {panel.title}", " · ".join(panel.caption), rows]))


def _remarks(line: Line) -> str:
    return "; ".join(_plain(f"{mark} [{note}]" if note else mark) for mark, note in line.remarks)


def _plain(text: str) -> str:
    """Keep a text inside its cell and its line."""
    return " ".join(text.split()).replace("|", "\\|")
