"""Train the victim, or its benign twin; let an attack implant a backdoor; or take weights that somebody gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mbti_core.contracts.attack import Aim, Attack, FitContext, State, TrainingAttack, WeightAttack
from mbti_core.contracts.defense import LabelledSet
from mbti_core.contracts.modality import Modality
from mbti_core.contracts.model import ModelInfo, StartsFromData, StartsFromSamples
from mbti_core.data.artifacts import TrainedModel
from mbti_core.data.rng import Draws, scoped_globals
from mbti_core.data.split import Split
from mbti_core.engine.config import TrainConfig
from mbti_core.errors import ConfigError, DataFormatError
from mbti_core.plugins.adapters import Adapters
from mbti_core.training.answers import check_answers
from mbti_core.training.loop import Fit, Part, Progress, fit_model
from mbti_core.training.subject import Subject

_LOOKED_AT = 5000  # rows that a model may start from


@dataclass(frozen=True)
class ModelPlan:
    """Everything that a model is built from.

    Attributes:
        factory: ``factory(info, **settings) -> nn.Module``.
        settings: Its settings as plain data.
        info: What the model is.
        modality: Makes its inputs.
        adapters: Typed front of the hooks.
        device: Where it computes.
        precision: ``fp32`` or ``bf16``.
    """

    factory: Any
    settings: Mapping[str, Any]
    info: ModelInfo
    modality: Modality[Any]
    adapters: Adapters
    device: torch.device
    precision: str

    def fresh(self, seed: int) -> Subject:
        """Return an untrained model; its initial weights depend on the seed alone."""
        with scoped_globals(Draws(seed).stream("init").seed):
            model: nn.Module = self.factory(self.info, **self.settings)
        return self.around(model)

    def around(self, model: nn.Module) -> Subject:
        """Return a subject around a model of this plan, on its device; weights of 16 or 64 bits become float32.

        Raises:
            ConfigError: If the model has no weights, but only their shapes.
        """
        if any(p.is_meta for p in model.parameters()):
            raise ConfigError(
                f"{self.info.arch} is built on the device 'meta': its weights have shapes and no values.",
                "Build it on the CPU.",
            )
        autocast = torch.bfloat16 if self.precision == "bf16" else None
        return Subject(model.float().to(self.device), self.info, self.modality, self.adapters, self.device, autocast)

    def load(self, weights: Mapping[str, Tensor]) -> Subject:
        """Return a model with the given weights, in eval mode.

        Raises:
            DataFormatError: If they do not fit the architecture.
        """
        subject = self.fresh(0)
        try:
            subject.model.load_state_dict(dict(weights))
        except RuntimeError as error:
            lines = str(error).splitlines()
            raise DataFormatError(
                f"The weights do not fit {self.info.arch} with {self.info.num_classes} classes: {lines[-1].strip()}",
                "Name the architecture and the settings that the weights were trained with.",
            ) from error
        subject.model.eval()
        if any(p.dim() == 4 for p in subject.model.parameters()):
            subject.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack this keyword
        return subject

    def trained(
        self, subject: Subject, history: Mapping[str, list[float]], beside: nn.Module | None = None
    ) -> TrainedModel:
        """Return the artifact around a model."""
        extra = beside.state_dict() if beside is not None else {}
        state, info = subject.model.state_dict(), self.info.to_json()
        return TrainedModel(state, self.info.arch, self.settings, info, self.precision, history, extra)


@dataclass(frozen=True)
class Assault:
    """An attack that takes part in training: settings, aim, ratio, the attack seed, and what ``fit`` learned."""

    attack: Attack[Any]
    aim: Aim
    ratio: float
    seed: int
    state: State


def hold(split: Split[Any], model: nn.Module | None, device: torch.device, rows: Tensor | None = None) -> LabelledSet:
    """Put a split (or some of its rows) on the device, with the labels as given."""
    split = split if rows is None else split.subset(rows)
    column = split.modality.hold(split.column, model, device)
    return LabelledSet(column, split.labels.to(device), split.index.to(device))


def look_at(subject: Subject, data: LabelledSet, draws: Draws) -> None:
    """Let an untrained model set what it sets from training rows before it is trained."""
    if isinstance(subject.model, StartsFromData):
        first = draws.stream("start").permutation(len(data.y), data.y.device)[:_LOOKED_AT]
        with torch.no_grad():
            subject.model.start_from(subject.encode(data.x.take(first)))


def train(
    plan: ModelPlan,
    split: Split[Any],
    config: TrainConfig,
    seed: int,
    assault: Assault | None,
    folder: Path | None,
    progress: Progress,
) -> TrainedModel:
    """Return a model trained on a split; an attack that controls training takes each step.

    Args:
        plan: What the model is built from.
        split: Poisoned, corrupted or clean training rows.
        config: Epochs, batch size, optimizer.
        seed: The train seed.
        assault: A ``TrainingAttack`` with its settings, or None.
        folder: Where checkpoints go.
        progress: Hears of each epoch.
    """
    subject = plan.fresh(seed)
    if isinstance(subject.model, StartsFromSamples):
        subject.model.start_from_samples(split.take(rows) for rows in split.chunks())
    data = hold(split, subject.model, plan.device)
    look_at(subject, data, Draws(seed))
    job = Fit(subject, data, config, seed, folder=folder, progress=progress)
    if assault is not None:
        assert isinstance(assault.attack, TrainingAttack)
        attack, draws = assault.attack, Draws(assault.seed).stream("step")
        state = {name: t.to(plan.device) for name, t in assault.state.items()}
        with scoped_globals(draws.stream("start").seed):
            known = FitContext(assault.aim, draws.stream("start"), plan.device, state=state)
            beside = attack.start(subject.model, known)
        part = Part(assault.aim, assault.ratio, draws, state, beside)
        job = replace(job, part=part, step=attack.step, recipe=attack.beside_recipe, end_epoch=attack.end_epoch)
    return plan.trained(subject, fit_model(job), job.part.beside)


def train_further(
    plan: ModelPlan,
    start: TrainedModel,
    split: Split[Any],
    config: TrainConfig,
    seed: int,
    folder: Path | None,
    progress: Progress,
) -> TrainedModel:
    """Return a trained model that somebody trains further on rows of their own, as ``train`` would but for the start.

    Args:
        plan: What the model is built from.
        start: The model to start from; what was trained beside it is left behind.
        split: Rows that no attack has touched.
        config: Epochs and learning rate of this phase.
        seed: The train seed; order and augmentation are others than in the training before.
        folder: Where checkpoints go.
        progress: Hears of each epoch.
    """
    subject = plan.load(start.weights)
    data, after = hold(split, subject.model, plan.device), Draws(seed).stream("then").seed
    return plan.trained(subject, fit_model(Fit(subject, data, config, after, folder=folder, progress=progress)))


def implant(plan: ModelPlan, base: TrainedModel, split: Split[Any], assault: Assault) -> TrainedModel:
    """Return the model that a ``WeightAttack`` makes of a trained one."""
    attack = assault.attack
    assert isinstance(attack, WeightAttack)
    draws = Draws(assault.seed).stream("implant")
    known = FitContext(assault.aim, draws, plan.device, state=assault.state)
    with scoped_globals(draws.seed):
        model = attack.implant(plan.load(base.weights).model, split, known)
    return plan.trained(plan.around(model), base.history)


def given(plan: ModelPlan, path: Path, split: Split[Any]) -> TrainedModel:
    """Return somebody's weights as an artifact: a safetensors file, a folder that holds one, or a plain state dict.

    Args:
        plan: What the model is built from.
        path: The file or folder.
        split: Samples that the model is meant for.

    Raises:
        ConfigError: If the model gives no logits for such samples.
        DataFormatError: If the file cannot be read without unpickling code, or does not fit the architecture.
    """
    from mbti_core.training.weights import read_weights  # noqa: PLC0415 - only for weights from outside

    subject = plan.load(read_weights(path))
    check_answers(subject, split)
    return plan.trained(subject, {})
