"""Write the reference pages from the code: hooks, command line, exit codes, and one page per component.

``python docs/generate.py`` writes them; ``--check`` writes nothing and names the committed pages that are not current.
The pages of the components are not committed: they follow the installed plugins.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from mbti_core import errors
from mbti_core.cli import main
from mbti_core.cli.app import build_app
from mbti_core.contracts.attack import TrainingAttack, WeightAttack
from mbti_core.contracts.component import ATTACK_TRAITS, KINDS
from mbti_core.contracts.dataset import Card, DatasetSource
from mbti_core.contracts.defense import Defense
from mbti_core.engine.config import OPTIONS, settings_class
from mbti_core.plugins import given_hookspecs, hookspecs, sample_hookspecs
from mbti_core.plugins.manager import Registered, registry

REFERENCE = Path(__file__).parent / "reference"
_SECTION = re.compile(r"^([A-Z][a-z]+):\s*$")
_ITEM = re.compile(r"^ {4}(\w+): (.*)$")
_OUTCOMES = {
    0: "Everything asked for is done. In a sweep, a method that cannot work on a model is a recorded outcome.",
    1: "A stage of a run failed, or the store cannot be used.",
    2: "The command line or a spec is not valid; nothing ran.",
    3: "A component is unknown, or a plugin is missing, broken or in conflict with another.",
    4: "Data is missing, may not be read, or does not hold what its layout promises.",
    5: "The one thing asked for cannot work on this model or modality, by its nature.",
    6: "`mbti scan` found something suspicious.",
    130: "Interrupted. What is complete stays in the store; the same command goes on from there.",
}


def markdown(docstring: str) -> str:
    """Turn a Google docstring into Markdown: sections become bold headings, items a list, an example code."""
    lines = []
    for line in inspect.cleandoc(docstring).replace("``", "`").splitlines():
        if line.strip() == "Example:":
            prose, example = "\n".join(lines), inspect.cleandoc(docstring).split("Example:", 1)[1]
            return f"{prose}\n**Example**\n\n```pycon\n{inspect.cleandoc(example)}\n```"
        if section := _SECTION.match(line):
            lines += [f"**{section[1]}**", ""]
        elif item := _ITEM.match(line):
            lines.append(f"- `{item[1]}`: {item[2]}")
        else:
            lines.append(line.removeprefix("    ") if line.startswith("    ") else line)
    return "\n".join(lines).strip()


def signature(hook: Callable[..., Any]) -> str:
    """Return a hook as it is declared, without the quotes of postponed annotations."""
    return hook.__name__ + str(inspect.signature(hook)).replace("'", "")


def hooks_page() -> str:
    """Return every hook under its group, with its exact signature as heading."""
    parts = ["# Hooks", markdown(hookspecs.__doc__ or "")]
    for module in (hookspecs, sample_hookspecs, given_hookspecs):
        for line in inspect.getsource(module).splitlines():
            if banner := re.match(r"# --- (.*?) -+$", line):
                parts.append(f"## {banner[1]}")
            elif declared := re.match(r"def (mbti_\w+)\(", line):
                hook = getattr(module, declared[1])
                parts += [f"### `{signature(hook)}`", markdown(hook.__doc__ or "")]
    return "\n\n".join(parts) + "\n"


def cli_page() -> str:
    """Return the help text of every command."""
    parts = ["# Command line", f"```text\n{_help()}\n```"]
    for words in _commands(typer.main.get_command(build_app()), ()):
        parts += [f"## `mbti {' '.join(words)}`", f"```text\n{_help(*words)}\n```"]
    return "\n\n".join(parts) + "\n"


def _help(*words: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main([*words, "--help"])
    return "\n".join(line.rstrip() for line in out.getvalue().strip().splitlines())


def _commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, child in getattr(command, "commands", {}).items():
        if not hasattr(child, "commands"):
            yield (*words, name)
        yield from _commands(child, (*words, name))


def exit_codes_page() -> str:
    """Return every exit code with the errors that end in it."""
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.MbtiError)]
    parts = [
        "# Exit codes",
        "An error is one line that says what is wrong, with the value, and one that says what to do.",
    ]
    for code, meaning in _OUTCOMES.items():
        parts += [f"## `{code}`", meaning]
        own = [c for c in classes if c.exit_code == code and c is not errors.MbtiError]
        if own:
            parts.append("\n".join(f"- `{c.__name__}`: {inspect.cleandoc(c.__doc__ or '')}" for c in own))
    return "\n\n".join(parts) + "\n"


def component_pages() -> Iterator[tuple[str, str]]:
    """Yield the page of each component, and an index of them."""
    index = ["# Components", "What the installed packages offer, by kind. `mbti list` prints the same."]
    for kind in KINDS:
        found = registry().components(kind)
        if not found:
            continue
        rows = [f"| [{r.component.id}]({kind}/{_file(r)}) | {r.component.summary} |" for r in found]
        index += [f"## {kind.capitalize()}s", "\n".join(["| component | what it does |", "| --- | --- |", *rows])]
        for found_one in found:
            yield f"components/{kind}/{_file(found_one)}", component_page(found_one)
    yield "components/index.md", "\n\n".join(index) + "\n"
    yield "components/attacks.md", attacks_page()
    yield "components/deviations.md", deviations_page()


def attacks_page() -> str:
    """Return the table of what attacks say of themselves, and what the words mean."""
    parts = ["# Traits of the attacks", "Each attack in its default settings, as it declares itself."]
    head = ("attack", "trigger", "poisoned rows", "for each sample", "where", "how", "what the attacker needs")
    rows = ["| " + " | ".join(head) + " |", "| --- " * len(head) + "|"]
    for r in registry().components("attack"):
        cells = (f"[{r.component.id}](attack/{_file(r)})", *_looks(r.component.traits), _needs(r))
        rows.append("| " + " | ".join(cells) + " |")
    words = [f"- `{name}`: {meaning}" for name, meaning in ATTACK_TRAITS.items()]
    return "\n\n".join([*parts, "\n".join(rows), "## The words", "\n".join(words)]) + "\n"


def _looks(traits: frozenset[str]) -> list[str]:
    """Say what an attack does to samples and labels; what is not declared stays open."""
    seen = {"visible", "faint", "invisible"} & traits
    rest = (
        "another" if "sample_specific" in traits else "the same",
        "a part" if "local" in traits else "everywhere",
        "laid over" if "additive" in traits else "transformed",
    )
    labels = "keep their label" if "clean_label" in traits else "are relabelled"
    return [", ".join(seen), labels, *(rest if seen else ("", "", ""))]


def _needs(registered: Registered) -> str:
    """Say what an attacker must have."""
    attack, traits = registered.load(), registered.component.traits
    control = "control of training" if issubclass(attack, TrainingAttack) else "training data"
    control = "the trained model" if issubclass(attack, WeightAttack) else control
    more = {"surrogate": "a surrogate model", "learned": "computing for the trigger"}
    return ", ".join([control, *(word for trait, word in more.items() if trait in traits)])


def deviations_page() -> str:
    """Return what every component does otherwise than its source."""
    parts = [
        "# Deviations of the components",
        "Each difference from the paper or its code, as the component states it.",
    ]
    for r in registry().components():
        source = r.component.source
        if source and source.deviations:
            parts += [f"## {r.component.id}", f"From {source.authors.split(',')[0]} et al., {source.year}."]
            parts.append("\n".join(f"- {d}" for d in source.deviations))
    return "\n\n".join(parts) + "\n"


def _file(registered: Registered) -> str:
    return registered.component.id.replace("/", "-") + ".md"


def component_page(registered: Registered) -> str:
    """Return one component: what it is, its docstring, its settings, where it comes from."""
    c, target = registered.component, registered.load()
    facts = {"kind": c.kind, "package": registered.distribution, "version": str(c.version)}
    if c.traits:
        facts["traits"] = ", ".join(sorted(c.traits))
    if isinstance(target, type) and issubclass(target, Defense):
        facts |= {"needs": ", ".join(sorted(target.needs)), "yields": ", ".join(sorted(target.yields))}
    parts = [f"# {c.id}", f"{c.summary}."]
    if isinstance(target, type) and issubclass(target, DatasetSource):
        facts |= card_facts(target().card())
    parts.append("\n".join(["| | |", "| --- | --- |", *(f"| {k} | {v} |" for k, v in facts.items())]))
    parts.append(markdown(target.__doc__ or ""))
    if c.kind != "metric":
        parts += ["## Settings", *settings_tables(registered)]
    if c.source:
        s = c.source
        title = f"[{s.title}]({s.url})" if s.url else s.title
        parts += ["## Source", f"{s.authors}. {title}. {s.venue}, {s.year}."]
        if s.code_url:
            parts.append(f"Code: <{s.code_url}>{f' ({s.code_licence})' if s.code_licence else ''}.")
        if s.deviations:
            parts += ["Differences from it:", "\n".join(f"- {d}" for d in s.deviations)]
    return "\n\n".join(parts) + "\n"


def card_facts(card: Card) -> dict[str, str]:
    """Return what a data set's card says, for a table."""
    facts = {
        "classes": str(len(card.classes)) if card.classes else "those that its files say",
        "rows": ", ".join(f"{count:,} {part}" for part, count in card.counts.items()),
        "sample": " x ".join(map(str, card.input.shape)) + f", {card.input.dtype}",
        "mirrored by training": "yes" if card.facts.get("mirror") else "no",
        "licence": card.licence,
        "citation": card.citation,
    }
    if card.origin is not None:
        sizes = sum(d.size for d in card.origin.downloads) / 1e6
        facts["`mbti fetch`"] = f"{sizes:,.0f} MB" if card.origin.downloads else card.origin.by_hand
    return {name: text for name, text in facts.items() if text}


def settings_tables(registered: Registered) -> Iterator[str]:
    """Yield a table of the component's own settings, and one of the keys that its stage reads."""
    own, stage = settings_class(registered), OPTIONS.get(registered.component.kind)
    yield _settings_table(own) if own.model_fields else "It has none of its own."
    if stage:
        yield "Keys that stand beside them, read by the stage:"
        yield _settings_table(stage)


def _settings_table(settings: Any) -> str:
    rows = ["| setting | type | default |", "| --- | --- | --- |"]
    properties = settings.model_json_schema()["properties"]
    for name, field in settings.model_fields.items():
        default = "required" if field.is_required() else f"`{field.get_default(call_default_factory=True)!r}`"
        rows.append(f"| `{name}` | {_type(properties[name])} | {default} |")
    return "\n".join(rows)


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(s) for s in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{v}`" for v in schema.get("enum", [schema.get("const")]))
    marks = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{mark} {schema[key]:g}" for key, mark in marks.items() if key in schema]
    return " ".join([schema.get("type", "any"), *bounds]).replace("null", "none")


COMMITTED: dict[str, Callable[[], str]] = {
    "hooks.md": hooks_page,
    "cli.md": cli_page,
    "exit-codes.md": exit_codes_page,
}


def stale() -> list[str]:
    """Name the committed pages that do not hold what the code says."""
    current = {name: page() for name, page in COMMITTED.items()}
    kept = {name: (REFERENCE / name).read_text(encoding="utf-8") for name in current if (REFERENCE / name).is_file()}
    return [name for name, text in current.items() if kept.get(name) != text]


def write() -> None:
    """Write every page."""
    pages = [(name, page()) for name, page in COMMITTED.items()]
    for name, text in [*pages, *component_pages()]:
        path = REFERENCE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    os.environ["COLUMNS"] = "80"  # help texts break lines by it
    if sys.argv[1:] == ["--check"]:
        old = stale()
        sys.exit(f"not current: {', '.join(old)}. Run 'uv run python docs/generate.py'." if old else 0)
    write()
