"""The plan of a run: every stage with its key, before anything runs. Shared work is found by key and done once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mbti_core.contracts.attack import TrainingAttack, WeightAttack
from mbti_core.data.fileref import Digests
from mbti_core.engine.config import Choice, Experiment
from mbti_core.engine.graph import Json, Node, Plan, PlannedRow, cheap_first
from mbti_core.engine.keys import asked, key_of, keyed
from mbti_core.engine.numerics import choose_device, choose_precision, choose_threads
from mbti_core.engine.problems import SpecError
from mbti_core.engine.resolve import target_problems
from mbti_core.engine.store import DIGESTS
from mbti_core.plugins.manager import Registry
from mbti_core.stages import VERSIONS
from mbti_core.stages.fit import fits
from mbti_core.stages.poison import covers

_MODEL = ("train", "represent", "defend", "evaluate")


@dataclass(frozen=True)
class RunOptions:
    """How and where to run; none of it is part of a key.

    Attributes:
        store: Root of the store.
        data_root: Where data sets are.
        device: ``auto``, ``cpu``, ``cuda:0``.
        threads: Of every stage; None takes what the plan says, by model.
        executor: Name of the executor.
        workers: How many stages at once.
        force: Stages to compute again, with everything after them.
    """

    store: Path
    data_root: Path
    device: str = "auto"
    threads: int | None = None
    executor: str = "serial"
    workers: int = 1
    force: tuple[str, ...] = ()


def make_plan(experiments: Sequence[Experiment], registry: Registry, options: RunOptions) -> Plan:
    """Plan experiments.

    Raises:
        DataUnavailableError: If a data set or a file that a setting names is missing.
        ConfigError: If the device does not exist, or the attack's target is no class of the data set.
    """
    plan = Plan(choose_device(options.device))
    digests = Digests(options.store / DIGESTS)
    for experiment in experiments:
        before = len(plan.nodes)
        _Planner(plan, registry, options, digests, experiment).plan_all()
        plan.nodes = cheap_first(plan.nodes, before)
    return plan


class _Planner:
    """Adds one experiment to a plan."""

    def __init__(
        self, plan: Plan, registry: Registry, options: RunOptions, digests: Digests, experiment: Experiment
    ) -> None:
        self.plan, self.registry, self.options, self.digests, self.e = plan, registry, options, digests, experiment

    def add(
        self, stage: str, label: str, payload: Json, inputs: Mapping[str, str | None], extra: Json | None = None
    ) -> str:
        """Add a stage unless its key is there; return its reference."""
        given = {role: ref for role, ref in inputs.items() if ref is not None}
        full = {"stage": stage, "stage_version": VERSIONS[stage], **payload, "inputs": given}
        traits = {"large"} if stage == "fit" else self.e.model.registered.component.traits if stage in _MODEL else ()
        threads = self.options.threads or choose_threads(traits)
        aim = asked({**full, "inputs": {role: self.plan.nodes[ref].asked for role, ref in given.items()}})
        node = Node(stage, key_of(full), label, full, aim, extra or {}, given, threads)
        self.plan.nodes.setdefault(node.ref, node)
        return node.ref

    def component(self, choice: Choice) -> Json:
        """Return a component as it enters a key: id, version, settings with digests in place of paths."""
        c = choice.registered.component
        settings = keyed(choice.settings, self.digests)
        settings.pop("folder", None) if c.kind == "dataset" else None
        return {"id": c.id, "version": c.version, "settings": settings}

    def settings(self, **choices: Choice | None) -> Json:
        """Return what a worker needs to build the components again, paths included."""
        return {role: choice.portable() for role, choice in choices.items() if choice is not None}

    def plan_all(self) -> None:
        e, plan = self.e, self.plan
        prepare = self.prepare()
        data = self.corrupt(prepare) if e.noise else prepare
        twin = None if e.model.options.weights else self.train(prepare, data, None)
        victim, suspects, triggered, cover = twin, data, None, None
        if e.attack is not None:
            fitted = self.fit(prepare, data, twin)
            if "trains_trigger" in e.attack.registered.component.traits:
                victim = self.victim(prepare, data, fitted, data, twin)
                suspects = self.poison(data, fitted, victim)
            else:
                suspects = self.poison(data, fitted, None)
                victim = self.victim(prepare, data, fitted, suspects, twin)
            triggered = self.tested("triggered", prepare, fitted, victim)
            cover = self.tested("cover", prepare, fitted, victim) if covers(e.attack.settings) else None  # type: ignore[arg-type]  # an attack's settings
        elif twin is None:
            victim = self.train(prepare, data, None)
        assert victim is not None
        if e.train.then is not None and not e.model.options.weights:
            victim = self.train_further(prepare, data, victim)
            twin = twin and self.train_further(prepare, data, twin)
        shown = twin if e.attack is not None else None
        inputs = {"prepare": prepare, "model": victim, "triggered": triggered, "cover": cover}
        inputs["twin"] = self.evaluate("benign twin", {**inputs, "model": shown}) if shown else None
        before = self.evaluate("victim" if e.attack else "model", inputs, self.about("none", plan.nodes[victim]))
        for defense in e.defenses:
            self.defended(defense, inputs, before, suspects, data, twin if shown else None)
        self.digests.save()

    def prepare(self) -> str:
        dataset = self.e.dataset
        files = dataset.settings.files(self.options.data_root)  # type: ignore[attr-defined]  # a data set's settings
        self.target_exists(dataset)
        payload = {
            "component": self.component(dataset),
            "options": dataset.options.model_dump(mode="json"),
            "files": self.digests.of(files),
            "seed": self.e.seeds.data,
        }
        extra = {**self.settings(dataset=dataset), "root": str(self.options.data_root)}
        return self.add("prepare", dataset.name, payload, {}, extra)

    def target_exists(self, dataset: Choice) -> None:
        """Refuse a target that is no class, where only the files say which there are."""
        source: Any = dataset.settings
        if self.e.attack is not None and not source.card().classes:
            classes = len(source.classes(self.options.data_root))
            problems = target_problems(self.e.attack.options.target, dataset.name, classes)
            if problems:
                raise SpecError(problems)

    def corrupt(self, prepare: str) -> str:
        noises = [{"component": self.component(n), "share": n.options.share} for n in self.e.noise]
        extra = {"noises": [n.portable() for n in self.e.noise]}
        label = f"{' + '.join(n.name for n in self.e.noise)} on {self.e.dataset.name}"
        return self.add("corrupt", label, {"noises": noises, "seed": self.e.seeds.data}, {"data": prepare}, extra)

    def _attack(self) -> tuple[Json, Json, str]:
        attack = self.e.attack
        assert attack is not None
        payload = {
            "attack": self.component(attack),
            "target": attack.options.model_dump(mode="json")["target"],
            "attack_seed": self.e.seeds.attack,
        }
        return payload, self.settings(attack=attack), attack.name

    def fit(self, prepare: str, data: str, twin: str | None) -> str | None:
        assert self.e.attack is not None
        payload, extra, name = self._attack()
        if not fits(self.e.attack.settings):  # type: ignore[arg-type]  # an attack's settings
            return None
        inputs: dict[str, str | None] = {"data": data}
        traits = self.e.attack.registered.component.traits
        if "knows_rows" in traits:
            payload |= {"ratio": self.e.attack.options.ratio}
        if "surrogate" in traits:
            inputs |= {"surrogate": twin or self.train(prepare, data, None)}
        return self.add("fit", name, payload, inputs, extra)

    def poison(self, data: str, fitted: str | None, beside: str | None) -> str:
        payload, extra, name = self._attack()
        assert self.e.attack is not None
        ratio = self.e.attack.options.ratio
        payload |= {"role": "train", "ratio": ratio}
        inputs = {"data": data, "fit": fitted, "beside": beside}
        return self.add("poison", f"{name}, {ratio:.3g} of training rows", payload, inputs, extra)

    def tested(self, kind: str, prepare: str, fitted: str | None, victim: str) -> str:
        payload, extra, name = self._attack()
        assert self.e.attack is not None
        beside = victim if "trains_trigger" in self.e.attack.registered.component.traits else None
        inputs = {"data": prepare, "fit": fitted, "beside": beside}
        return self.add("poison", f"{name}, {kind} test set", payload | {"role": kind}, inputs, extra)

    def _model(self) -> tuple[Json, Json]:
        e = self.e
        traits = e.model.registered.component.traits
        precision = choose_precision(e.train.precision, traits, self.plan.device)
        payload: Json = {"model": self.component(e.model), "precision": precision}
        if e.model.options.weights:
            payload["weights"] = self.digests.of([Path(e.model.options.weights)])
        else:
            config = e.train.model_dump(mode="json", exclude={"precision", "then"})
            payload |= {"config": config, "train_seed": e.seeds.train}
        return payload, {**self.settings(model=e.model), "weights": e.model.options.weights}

    def train(
        self, prepare: str, data: str, assault: Json | None, inputs: Mapping[str, str | None] | None = None
    ) -> str:
        payload, extra = self._model()
        label = f"{self.e.model.name} on {self.e.dataset.name}"
        if assault is not None:
            payload |= assault
            extra |= self.settings(attack=self.e.attack)
        label += f", {self.e.attack.name}" if self.e.attack and (assault or data.startswith("poison/")) else ""
        given = None if self.e.model.options.weights else data
        return self.add("train", label, payload, {"prepare": prepare, "data": given, **(inputs or {})}, extra)

    def train_further(self, prepare: str, data: str, start: str) -> str:
        """Add the victim's own fine-tuning on rows that no attack has touched."""
        then = self.e.train.then
        assert then is not None
        payload, extra = self._model()
        payload["config"] |= then.model_dump(mode="json")
        label = f"{self.plan.nodes[start].label}, then clean rows"
        return self.add("train", label, payload, {"prepare": prepare, "data": data, "start": start}, extra)

    def victim(self, prepare: str, data: str, fitted: str | None, suspects: str, twin: str | None) -> str:
        assert self.e.attack is not None
        attack, ratio = self.e.attack.settings, self.e.attack.options.ratio
        if twin is None or not isinstance(attack, TrainingAttack | WeightAttack):
            return self.train(prepare, suspects, None)
        assault = {**self._attack()[0], "ratio": ratio}
        base = twin if isinstance(attack, WeightAttack) else None
        return self.train(prepare, data, assault, {"fit": fitted, "base": base})

    def evaluate(self, label: str, inputs: Mapping[str, str | None], about: Json | None = None) -> str:
        known = (found.component for found in self.registry.components("metric", self.e.modality))
        metrics = [{"id": c.id, "version": c.version} for c in known]
        extra: Json = {"about": about} if about else {}
        ref = self.add("evaluate", f"{label}, {self.e.name}", {"metrics": metrics}, inputs, extra)
        if about:
            about["asked"] = self.plan.nodes[ref].asked
            self.plan.rows.append(PlannedRow(ref, about))
        return ref

    def defended(
        self, defense: Choice, inputs: Mapping[str, str | None], before: str, suspects: str, data: str, twin: str | None
    ) -> None:
        benign = None
        if twin is not None:
            calm = self.defend(defense, inputs, twin, data, "benign twin")
            benign = self.evaluate(
                f"{defense.name} on the benign twin",
                {**inputs, "model": twin, "twin": None, "defend": calm, "before": inputs["twin"], "suspects": data},
            )
        victim = inputs["model"]
        assert victim is not None
        found = self.defend(defense, inputs, victim, suspects, "victim" if self.e.attack else "model")
        more = {"defend": found, "before": before, "suspects": suspects, "benign": benign}
        self.evaluate(f"{defense.name}", {**inputs, **more}, self.about(defense.name, self.plan.nodes[found], defense))

    def defend(self, defense: Choice, inputs: Mapping[str, str | None], model: str, suspects: str, on: str) -> str:
        payload = {
            "defense": self.component(defense),
            "options": defense.options.keyed(),
            "seed": self.e.seeds.defense,
        }
        given = {"prepare": inputs["prepare"], "model": model, "suspects": suspects}
        kind: Any = type(defense.settings)
        if "filter" in kind.yields:
            given["triggered"] = inputs["triggered"]
        if "features" in kind.needs:
            asked = {"prepare": inputs["prepare"], "model": model, "data": suspects}
            given["features"] = self.add("represent", f"training rows to the {on}", {}, asked)
        return self.add("defend", f"{defense.name} on the {on}", payload, given, self.settings(defense=defense))

    def _distinct(self, defense: Choice | None) -> str:
        """Return a defense's settings as text where the spec lists it more than once."""
        if defense is None or sum(d.name == defense.name for d in self.e.defenses) < 2:
            return ""
        said = {
            **defense.settings.model_dump(exclude_defaults=True),
            **defense.options.model_dump(exclude_defaults=True),
        }
        return ", ".join(f"{name}={value}" for name, value in said.items()) or "defaults"

    def about(self, defense: str, subject: Node, choice: Choice | None = None) -> Json:
        """Return what a row says before it is measured."""
        e = self.e
        attack = e.attack
        adapted = any("adapted" in c.registered.component.traits for c in (attack, choice) if c is not None)
        return {
            "run": self.plan.nodes[subject.ref].key[:12],
            "name": e.name,
            "modality": e.modality,
            "dataset": e.dataset.name,
            "noise": " + ".join(n.name for n in e.noise) or "none",
            "attack": attack.name if attack else "none",
            "ratio": attack.options.ratio if attack else None,
            "target": attack.options.model_dump(mode="json")["target"] if attack else None,
            "model": e.model.name,
            "epochs": None if e.model.options.weights else e.train.epochs,
            "seed": e.seeds.label(),
            "precision": choose_precision(e.train.precision, e.model.registered.component.traits, self.plan.device),
            "defense": defense,
            "variant": ", ".join(filter(None, (e.variant, self._distinct(choice)))) or None,
            "adapted": adapted,
            "retrained": choice is not None and choice.options.retrain,
            "subject": subject.ref,
        }
