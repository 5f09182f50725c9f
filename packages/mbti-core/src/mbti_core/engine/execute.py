"""One stage, in whatever process: load its inputs from the store, call the pure function, hand the artifact back."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from mbti_core.contracts.attack import Aim
from mbti_core.contracts.defense import Defense
from mbti_core.contracts.model import ModelInfo
from mbti_core.data.artifacts import (
    ChangedSplit,
    PreparedData,
    TrainedModel,
    load_array,
    load_json,
    load_tensors,
    save_array,
    save_tensors,
)
from mbti_core.data.split import Split
from mbti_core.engine.allocator import keep_freed_memory
from mbti_core.engine.config import OPTIONS, TrainConfig, settings_class
from mbti_core.engine.graph import Json, Node
from mbti_core.engine.numerics import numerics
from mbti_core.engine.store import Store
from mbti_core.errors import ConfigError, NotSupportedError
from mbti_core.plugins.manager import Registry, registry
from mbti_core.stages.corrupt import corrupt
from mbti_core.stages.defend import DefenseResult, Scene, defend
from mbti_core.stages.evaluate import Evaluation, Row, beside_twin, fidelity, measure, measure_defense, predictions
from mbti_core.stages.fit import fit
from mbti_core.stages.poison import cover_test, poison, trigger_test
from mbti_core.stages.prepare import prepare
from mbti_core.stages.represent import represent
from mbti_core.stages.train import Assault, ModelPlan, given, hold, implant, train, train_further
from mbti_core.training.loop import Progress


def execute(
    node: Node,
    root: Path,
    device: str,
    progress: Progress | None = None,
    plugins: Registry | None = None,
) -> None:
    """Make one artifact, unless another process made it meanwhile.

    Args:
        node: The stage.
        root: Root of the store.
        device: Where it computes; ``corrupt`` and ``poison`` stay on the CPU, so that data sets are equal everywhere.
        progress: Hears of epochs, where the stage has them.
        plugins: Where components are found; by default the registry of this process.
    """
    keep_freed_memory()
    if torch.get_num_threads() != node.threads:
        torch.set_num_threads(node.threads)
    heard = progress or (lambda done, total, loss: None)
    work = Work(node, Store(root), plugins or registry(), torch.device(device), heard)
    facts = {"label": node.label, "payload": node.payload, "inputs": dict(node.inputs)}
    work.store.build(node.stage, node.key, facts, work.make)


class Work:
    """A stage's inputs, loaded as they are asked for."""

    def __init__(self, node: Node, store: Store, plugins: Registry, device: torch.device, progress: Progress) -> None:
        self.node, self.store, self.registry, self.device, self.progress = node, store, plugins, device, progress

    def make(self, folder: Path) -> Json:
        """Fill the folder with the artifact; return facts for the manifest."""
        stages: Mapping[str, Callable[[Path], Json | None]] = {
            "prepare": self._prepare,
            "corrupt": self._corrupt,
            "fit": self._fit,
            "poison": self._poison,
            "train": self._train,
            "represent": self._represent,
            "defend": self._defend,
            "evaluate": self._evaluate,
        }
        facts = stages[self.node.stage](folder) or {}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return {**facts, "numerics": numerics(self.device), "peak_memory_bytes": peak}

    # --- inputs ---

    def folder(self, ref: str) -> Path:
        """Return an artifact's folder; a newer schema raises ``ArtifactError``."""
        stage, key = ref.split("/")
        self.store.manifest(stage, key)
        return self.store.folder(stage, key)

    def built(self, described: Json) -> tuple[Any, Any]:
        """Return a component's settings object and its stage-level options."""
        found = self.registry.find(described["kind"], described["id"])
        settings = settings_class(found).model_validate(described["settings"])
        return settings, OPTIONS[described["kind"]].model_validate(described["options"])

    @cached_property
    def prepared(self) -> PreparedData:
        """The data set behind this stage."""
        own = self.node.ref if self.node.stage == "prepare" else None
        ref = own or self.node.inputs.get("prepare") or self._origin(self.node.inputs["data"])
        manifest = self.store.manifest(*ref.split("/"))
        name = manifest["payload"]["component"]["id"].split("/")[0]
        return PreparedData.load(self.folder(ref), self.registry.modalities[manifest.get("modality", name)])

    def _origin(self, ref: str) -> str:
        while not ref.startswith("prepare/"):
            ref = self.store.manifest(*ref.split("/"))["inputs"]["data"]
        return ref

    def split(self, ref: str) -> Split[Any]:
        """Return the training rows behind a reference, or the triggered test set."""
        if ref.startswith("prepare/"):
            return self.prepared.parts["train"]
        manifest = self.store.manifest(*ref.split("/"))
        test = manifest["payload"].get("role", "train") != "train"
        parent = self.prepared.parts["test"] if test else self.split(manifest["inputs"]["data"])
        return ChangedSplit.load(self.folder(ref), parent).split()

    def state(self) -> dict[str, torch.Tensor]:
        """Return what ``fit`` learned, and what was trained beside the victim under ``beside.``."""
        inputs = self.node.inputs
        found = load_tensors(self.folder(inputs["fit"]) / "state.safetensors") if "fit" in inputs else {}
        if "beside" in inputs:
            beside = TrainedModel.load(self.folder(inputs["beside"])).beside
            if not beside:
                raise ConfigError(
                    f"{self.node.label}: its trigger is trained beside the victim; the given weights bring none.",
                    "Train the victim in this run: leave out model.weights.",
                )
            found |= {f"beside.{k}": t for k, t in beside.items()}
        return found

    @cached_property
    def aim(self) -> Aim:
        """What the attacker wants."""
        target = self.node.payload["target"]
        return Aim(tuple(target) if isinstance(target, list) else target, len(self.prepared.classes))

    def plan_of(self, model_id: str, settings: Mapping[str, Any], precision: str) -> ModelPlan:
        """Return what a model is built from."""
        found = self.registry.find("model", model_id)
        modality = self.prepared.parts["train"].modality
        p = self.prepared
        info = ModelInfo(model_id, modality.name, p.input, len(p.classes), p.facts)
        values = settings_class(found).model_validate(settings)
        plain = {name: getattr(values, name) for name in type(values).model_fields}
        return ModelPlan(found.load(), plain, info, modality, self.registry.adapters, self.device, precision)

    def trained(self, ref: str) -> tuple[TrainedModel, ModelPlan]:
        """Return a trained model and what it is built from."""
        model = TrainedModel.load(self.folder(ref))
        return model, self.plan_of(model.arch, model.settings, model.precision)

    def training_of(self, ref: str) -> TrainConfig | None:
        """Return how a model was trained from its start; None where it was not, but given or edited."""
        payload = self.store.manifest(*ref.split("/"))["payload"]
        if start := payload["inputs"].get("start"):
            return self.training_of(start)
        return TrainConfig.model_validate(payload["config"]) if "config" in payload else None

    # --- stages ---

    def _prepare(self, folder: Path) -> Json:
        source, options = self.built(self.node.extra["dataset"])
        name = self.node.extra["dataset"]["id"].split("/")[0]
        modality = self.registry.modalities[name]
        prepare(source, options, Path(self.node.extra["root"]), self.node.payload["seed"], modality).save(folder)
        return {"modality": name}

    def _corrupt(self, folder: Path) -> None:
        noises = [(d["id"], *self.built(d)) for d in self.node.extra["noises"]]
        split = self.split(self.node.inputs["data"])
        listed = [(name, noise, options.share) for name, noise, options in noises]
        corrupt(split, listed, len(self.prepared.classes), self.node.payload["seed"]).save(folder)

    def _fit(self, folder: Path) -> None:
        attack, _ = self.built(self.node.extra["attack"])
        split, seed = self.split(self.node.inputs["data"]), self.node.payload["attack_seed"]
        surrogate = None
        if "surrogate" in self.node.inputs:
            model, plan = self.trained(self.node.inputs["surrogate"])
            surrogate = plan.load(model.weights)
        ratio = self.node.payload.get("ratio")
        save_tensors(folder / "state.safetensors", fit(attack, split, self.aim, seed, self.device, surrogate, ratio))

    def _poison(self, folder: Path) -> None:
        attack, options = self.built(self.node.extra["attack"])
        seed, state = self.node.payload["attack_seed"], self.state()
        if self.node.payload["role"] != "train":
            make = {"triggered": trigger_test, "cover": cover_test}[self.node.payload["role"]]
            make(self.prepared.parts["test"], attack, self.aim, seed, state).save(folder)
            return
        traits = self.registry.find("attack", self.node.extra["attack"]["id"]).component.traits
        split = self.split(self.node.inputs["data"])
        poison(split, attack, self.aim, options.ratio, seed, state, clean_label="clean_label" in traits).save(folder)

    def _train(self, folder: Path) -> None:
        payload, extra, inputs = self.node.payload, self.node.extra, self.node.inputs
        plan = self.plan_of(extra["model"]["id"], extra["model"]["settings"], payload["precision"])
        if extra["weights"]:
            given(plan, Path(extra["weights"]), self.prepared.parts["train"]).save(folder)
            return
        split, assault = self.split(inputs["data"]), None
        if "attack" in payload:
            attack, options = self.built(extra["attack"])
            assault = Assault(attack, self.aim, options.ratio, payload["attack_seed"], self.state())
        if assault is not None and "base" in inputs:
            implant(plan, self.trained(inputs["base"])[0], split, assault).save(folder)
            return
        config = TrainConfig.model_validate(payload["config"])
        if "start" in inputs:
            start = self.trained(inputs["start"])[0]
            train_further(plan, start, split, config, payload["train_seed"], folder, self.progress).save(folder)
            return
        train(plan, split, config, payload["train_seed"], assault, folder, self.progress).save(folder)

    def _represent(self, folder: Path) -> Json:
        model, plan = self.trained(self.node.inputs["model"])
        subject = plan.load(model.weights)
        try:
            features = represent(subject, hold(self.split(self.node.inputs["data"]), subject.model, self.device))
        except NotSupportedError as error:
            return {"unsupported": error.message}
        save_array(folder, "features", features)
        return {}

    def features(self) -> torch.Tensor:
        """Return what ``represent`` computed; the reason why it could not is raised again."""
        ref = self.node.inputs["features"]
        if reason := self.store.manifest(*ref.split("/")).get("unsupported"):
            raise NotSupportedError(reason)
        return load_array(self.folder(ref), "features")

    def _defend(self, folder: Path) -> Json:
        inputs = self.node.inputs
        defense, options = self.built(self.node.extra["defense"])
        assert isinstance(defense, Defense)
        model, plan = self.trained(inputs["model"])
        tests = {"clean": self.prepared.parts["test"]}
        if "triggered" in inputs:
            tests["triggered"] = self.split(inputs["triggered"])
        suspects, reserve = self.split(inputs["suspects"]), self.prepared.parts["reserve"]
        scene = Scene(plan, model, suspects, reserve, tests, self.training_of(inputs["model"]), self.features)
        result = defend(scene, self.node.extra["defense"]["id"], defense, options, self.node.payload["seed"])
        result.save(folder, scene.suspects.modality)
        return {"unsupported": result.facts.get("unsupported")}

    def _evaluate(self, folder: Path) -> None:
        row, found = self._row()
        Evaluation({**self.node.extra.get("about", {}), **row}, found).save(folder)

    def _row(self) -> tuple[Row, dict[str, torch.Tensor]]:
        inputs, metrics = self.node.inputs, {}
        for name in (metric["id"] for metric in self.node.payload["metrics"]):
            metrics[name.split("/")[1]] = self.registry.find("metric", name).load()
        tests = {"clean": self.prepared.parts["test"]}
        tests |= {role: self.split(inputs[role]) for role in ("triggered", "cover") if role in inputs}
        model, plan = self.trained(inputs["model"])
        twin, before, benign = (self._other(role) for role in ("twin", "before", "benign"))
        result = DefenseResult.load(self.folder(inputs["defend"])) if "defend" in inputs else None
        base: Row = {"status": "ok", "reason": None, "train_rows": len(self.prepared.parts["train"])}
        if result is not None and result.facts.get("unsupported"):
            return {**base, "status": "unsupported", "reason": result.facts["unsupported"]}, {}
        if result is not None and "clean_prediction" in result.arrays:
            found = {part: result.arrays[f"{part}_prediction"] for part in tests if part != "cover"}
        elif result is not None and not result.model:
            kept = self.folder(inputs["before"])
            found = {part: torch.from_numpy(_npy(kept / f"{part}.npy")) for part in tests}
        else:
            found = predictions(plan.load(result.model if result else model.weights), tests)
        row = base | measure(found, tests, len(self.prepared.classes), metrics)
        row |= beside_twin(row, twin)
        if "about" in self.node.extra and "triggered" in inputs and result is None:
            row |= {"fidelity": fidelity(tests, plan.adapters)}
        if result is not None:
            assert before is not None
            row |= measure_defense(result, row, before, self.split(inputs["suspects"]), twin, benign)
        seconds = self.store.manifest(*(inputs.get("defend") or inputs["model"]).split("/"))["seconds"]
        return {**row, "seconds": seconds, "keys": {role: ref.split("/")[1] for role, ref in inputs.items()}}, found

    def _other(self, role: str) -> Row | None:
        ref = self.node.inputs.get(role)
        row: Row | None = load_json(self.folder(ref) / "row.json") if ref else None
        return row


def _npy(path: Path) -> Any:
    import numpy as np  # noqa: PLC0415 - one use

    return np.load(path, allow_pickle=False)
