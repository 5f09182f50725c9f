"""Every hook of BackdoorMBTI (pluggy project and entry-point group ``mbti``).

Registration hooks use every answer. Adapter hooks stop at the first answer that is not None; None means "not mine".
Implementations take only the arguments that they need.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import typer
    from torch import nn

    from mbti_core.contracts.component import Component
    from mbti_core.contracts.modality import Modality
    from mbti_core.contracts.model import FeatureTap, InputSpec, ModelInfo, PrunableLayer, Recipe
    from mbti_core.contracts.trigger_space import Family, TriggerSpace
    from mbti_core.engine.executors import ExecutorFactory
    from mbti_core.results.sections import Section
    from mbti_core.results.table import ResultTable

PROJECT = "mbti"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

# --- Registration: every answer is used ----------------------------------------------------------------------------


@hookspec
def mbti_register() -> Iterable[Component]:  # type: ignore[empty-body]  # a spec has no body
    """Return the components this plugin offers.

    Called once at start; must import nothing heavy (no torch). Each component's code is imported on first use.

    Returns:
        One ``Component`` per data set, noise, attack, model, defense or metric.
    """


@hookspec
def mbti_modalities() -> Iterable[Modality[Any]]:  # type: ignore[empty-body]  # a spec has no body
    """Return the input modalities this plugin adds.

    Called when a run is planned, not for listings; may import torch, inside the function.

    Returns:
        ``Modality`` instances: how samples are stored, held on a device and made into model inputs.
    """


@hookspec
def mbti_specs() -> Iterable[Mapping[str, Any]]:  # type: ignore[empty-body]  # a spec has no body
    """Return built-in experiments.

    Called by ``mbti run`` without a spec: the one with the lowest ``priority`` number runs.

    Returns:
        Mappings ``{"name": str, "priority": int, "summary": str, "spec": dict}``; ``spec`` as in a YAML file.
    """


@hookspec
def mbti_executors() -> Mapping[str, ExecutorFactory]:  # type: ignore[empty-body]  # a spec has no body
    """Return ways to run stages, by name.

    Called when a run starts. Core offers ``serial`` and ``processes``.

    Returns:
        Factories that take the number of workers and give a ``concurrent.futures.Executor``.
    """


@hookspec
def mbti_commands(app: typer.Typer) -> None:
    """Add subcommands to the command line.

    Called once when the command line starts; heavy imports go inside the command's body.

    Args:
        app: The typer application.
    """


@hookspec
def mbti_report_sections(results: ResultTable) -> Iterable[Section]:  # type: ignore[empty-body]  # a spec has no body
    """Return extra sections of the HTML report.

    Called when a report is written.

    Args:
        results: The rows of the report.

    Returns:
        ``Section(title, html)`` in order.
    """


# --- Adapters on models: stops at the first answer that is not None ------------------------------------------------


@hookspec(firstresult=True)
def mbti_feature_layer(model: nn.Module, info: ModelInfo) -> FeatureTap | None:
    """Say where the penultimate representation is.

    Called by activation clustering, spectral signatures and others that look at features. None means "not mine".

    Args:
        model: Batch to logits.
        info: What the model is.

    Returns:
        The tap; after its pooling the representation is (B, D). Core's default: the input of the last ``nn.Linear``, or
        of the convolution that gives the classes.
    """


@hookspec(firstresult=True)
def mbti_prunable_layers(model: nn.Module, info: ModelInfo) -> Sequence[PrunableLayer] | None:
    """List layers whose units may be removed, in depth order.

    Called by pruning defenses. None means "not mine"; an empty list means "none", which is an answer.

    Args:
        model: Batch to logits.
        info: What the model is.

    Returns:
        Layers; ``norm`` names the BatchNorm that scales the units. Core's default follows one sample through the model:
        convolutions, each with the BatchNorm that alone reads it, else hidden linear layers; in a model that attends,
        the first layer of each MLP.
    """


@hookspec(firstresult=True)
def mbti_input_shape(info: ModelInfo) -> InputSpec | None:
    """Describe one model input.

    Called by everyone who builds inputs. None means "not mine".

    Args:
        info: What the model is.

    Returns:
        Shape without the batch axis, type and range. Core's default: what the data set recorded.
    """


@hookspec(firstresult=True)
def mbti_trigger_space(model: nn.Module, info: ModelInfo, spec: InputSpec, family: Family) -> TriggerSpace | None:
    """Give a differentiable family of triggers.

    Called by trigger inversion. None means "not mine", or "no such family here"; there is no default.

    Args:
        model: Batch to logits.
        info: What the model is.
        spec: One input.
        family: ``mask`` replaces a part of the input by a pattern, ``front`` a part of what the model's fixed first
            layer makes of it, ``additive`` changes all of the input by a bounded amount.

    Returns:
        A ``TriggerSpace`` on lifted tensors.
    """


@hookspec(firstresult=True)
def mbti_embedding_layer(model: nn.Module, info: ModelInfo) -> str | None:
    """Name the token embedding.

    Called by methods that work on embeddings. None means "not mine".

    Args:
        model: Batch to logits.
        info: What the model is.

    Returns:
        A dotted module name. Core's default: the first ``nn.Embedding``.
    """


@hookspec(firstresult=True)
def mbti_head(model: nn.Module, info: ModelInfo) -> Sequence[str] | None:
    """Name the modules of the classifier head.

    Called by linear probing and attention transfer. None means "not mine".

    Args:
        model: Batch to logits.
        info: What the model is.

    Returns:
        Dotted module names. Core's default: the module of the feature tap.
    """


@hookspec(firstresult=True)
def mbti_recipe(info: ModelInfo) -> Recipe | None:
    """Say how this family of models is fine-tuned.

    Called by every defense that fine-tunes. None means "not mine".

    Args:
        info: What the model is.

    Returns:
        Optimizer, learning rate, weight decay, schedule, batch size. Core's default: SGD 0.01, momentum 0.9, 5e-4,
        cosine.
    """


# --- Lifecycle: notifications without result, sent by the scheduler process only -----------------------------------


@hookspec
def mbti_before_stage(stage: str, key: str, label: str) -> None:
    """Hear that a stage starts.

    Args:
        stage: Name of the stage.
        key: Key of its artifact.
        label: What it works on, in words.
    """


@hookspec
def mbti_after_stage(stage: str, key: str, label: str, seconds: float, cached: bool) -> None:
    """Hear that a stage is complete.

    Args:
        stage: Name of the stage.
        key: Key of its artifact.
        label: What it worked on, in words.
        seconds: Wall time; 0 if cached.
        cached: Whether its artifact was already there.
    """


@hookspec
def mbti_on_stage_error(stage: str, key: str, label: str, error: BaseException) -> None:
    """Hear that a stage failed.

    Args:
        stage: Name of the stage.
        key: Key of its artifact.
        label: What it worked on, in words.
        error: What was raised.
    """


@hookspec
def mbti_log(scope: str, step: int, values: Mapping[str, float]) -> None:
    """Hear numbers of a run, for trackers; sent when a stage is complete.

    Args:
        scope: ``stage/key``.
        step: Epoch or step.
        values: Numbers by name.
    """
