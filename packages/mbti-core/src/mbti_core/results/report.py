"""One self-contained HTML page about a run: no script, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mbti_core.results.columns import Column
from mbti_core.results.effects import effects_svg
from mbti_core.results.grouping import NO_DEFENSE, Group
from mbti_core.results.markup import tables_html, templates
from mbti_core.results.sections import Section
from mbti_core.results.table import ResultTable
from mbti_core.results.writing import write_whole

_NAMED = 6  # more attacks than this are counted in the headline


@dataclass(frozen=True)
class _Figure:
    """A number at the top of the page."""

    label: str
    value: str
    note: str
    tone: str = ""


def write_report(
    path: Path, table: ResultTable, sections: Sequence[Section], title: str, facts: Mapping[str, Any]
) -> Path:
    """Write the page, all or nothing.

    Args:
        path: Where to; its folder is made.
        table: The results.
        sections: What else is shown, in order.
        title: Heading of the page.
        facts: What the run was, by name; values of several lines (a spec) fold away.

    Returns:
        The path.

    Raises:
        ConfigError: If the file cannot be written.
    """
    victims = [group for group in table.groups if group.defense == NO_DEFENSE]
    defenses = {group.defense for group in table.groups} - {NO_DEFENSE}
    texts = [(name, str(value)) for name, value in facts.items()]
    page = (
        templates()
        .get_template("report.html")
        .render(
            title=title,
            headline=_headline(victims, len(defenses)),
            figures=_figures(victims, table.groups),
            tables=tables_html(table.panels),
            effects=effects_svg(table.groups),
            sections=sections,
            columns=_explained(table),
            facts=[(name, text) for name, text in texts if "\n" not in text],
            long_facts=[(name, text) for name, text in texts if "\n" in text],
        )
    )
    return write_whole(path, page.encode())


def _headline(victims: Sequence[Group], defenses: int) -> str:
    if len(victims) != 1:
        attacks = list(dict.fromkeys(_against(victim) for victim in victims))
        named = ", ".join(attacks) if len(attacks) <= _NAMED else f"{len(attacks)} attacks"
        return f"{len(victims)} models: {named}; {defenses} defense{'s' if defenses != 1 else ''}." if victims else ""
    (victim,) = victims
    first, success = victim.rows[0], victim.mean("asr")
    model = f"{first.get('model')} trained on {first.get('dataset')}"
    if success is None:
        return f"{model}, without an attack."
    floor = victim.mean("benign_asr")
    beside = f" Its benign twin gives it to {_percent(floor)}." if floor else ""
    return (
        f"{model} under {first.get('attack')}: {_percent(success)} of triggered rows get the attacker's label.{beside}"
    )


def _figures(victims: Sequence[Group], groups: Sequence[Group]) -> list[_Figure]:
    """Choose the numbers at the top: the attacked model, or the strongest of several, and the best of the defenses."""
    several = len(victims) > 1
    figures = []
    for key, label, beside, words, tone in (
        ("clean_accuracy", "Clean accuracy", "benign_accuracy", "benign twin", "clean"),
        ("asr", "Attack success rate", "benign_asr", "floor", "poisoned"),
    ):
        if best := _best(victims, key):
            value, twin = best.mean(key), best.mean(beside)
            note = f"{words} {_percent(twin)}" if twin else ""
            name = f"Highest {label[0].lower()}{label[1:]}" if several else label
            figures.append(_Figure(name, _percent(value), f"{_against(best)}; {note}" if several else note, tone))
    for key, label in (("der", "Best DER"), ("auroc", "Best AUROC")):
        if best := _best([group for group in groups if not group.remarks], key):
            value = best.mean(key)
            note = f"{best.defense} against {_against(best)}" if several else best.defense
            figures.append(_Figure(label, f"{value[0]:.3f}" if value else "", note))
    return figures


def _best(groups: Sequence[Group], key: str) -> Group | None:
    able = [(value[0], -place) for place, group in enumerate(groups) if (value := group.mean(key))]
    return groups[-max(able)[1]] if able else None


def _against(group: Group) -> str:
    return str(group.rows[0].get("attack"))


def _percent(value: tuple[float, float | None] | None) -> str:
    return f"{100 * value[0]:.1f} %" if value else ""


def _explained(table: ResultTable) -> list[Column]:
    shown = [column for panel in table.panels.tables for column in panel.columns if column.meaning]
    return list({column.heading: column for column in shown}.values())
