"""The typed front of the adapter hooks: no defense touches ``pm.hook``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from mbti_core.contracts.model import FeatureTap, InputSpec, ModelInfo, PrunableLayer, Recipe, Rendering
from mbti_core.errors import NotSupportedError

if TYPE_CHECKING:
    import pluggy
    from torch import Tensor, nn

    from mbti_core.contracts.trigger_space import Family, TriggerSpace
    from mbti_core.data.rng import Draws

T = TypeVar("T")


@dataclass(frozen=True)
class Adapters:
    """One method per adapter hook; checks the answer's type and names who asked when nobody answers.

    Args:
        hook: ``pm.hook`` of the plugin manager.
        asker: Who asks (a defense's id), for messages.
    """

    hook: pluggy.HookRelay
    asker: str = "this method"

    def asked_by(self, asker: str) -> Adapters:
        """Return the same front with another name in its messages."""
        return Adapters(self.hook, asker)

    def _need(self, answer: Any, kind: type[T] | tuple[type, ...], hook: str, what: str) -> T:
        if answer is None:
            raise NotSupportedError(
                f"{self.asker} needs {hook} for {what}, and no plugin answers it.",
                f"Install or write a plugin that implements {hook} for {what}.",
            )
        if not isinstance(answer, kind):
            raise TypeError(f"{hook} for {what}: expected {kind}, got {type(answer)}")
        return answer  # type: ignore[return-value]  # a tuple of types narrows to object

    def feature_layer(self, model: nn.Module, info: ModelInfo) -> FeatureTap:
        """Where the penultimate representation is."""
        return self._need(
            self.hook.mbti_feature_layer(model=model, info=info), FeatureTap, "mbti_feature_layer", info.arch
        )

    def prunable_layers(self, model: nn.Module, info: ModelInfo) -> Sequence[PrunableLayer]:
        """Layers whose units may be removed, in depth order."""
        answer = self.hook.mbti_prunable_layers(model=model, info=info)
        return self._need(answer, (list, tuple), "mbti_prunable_layers", info.arch)

    def input_shape(self, info: ModelInfo) -> InputSpec:
        """One model input."""
        return self._need(self.hook.mbti_input_shape(info=info), InputSpec, "mbti_input_shape", info.arch)

    def trigger_space(
        self, model: nn.Module, info: ModelInfo, spec: InputSpec, family: Family = "mask"
    ) -> TriggerSpace:
        """A differentiable family of triggers."""
        answer = self.hook.mbti_trigger_space(model=model, info=info, spec=spec, family=family)
        return self._need(answer, (object,), "mbti_trigger_space", info.arch)

    def superimpose(self, x: Any, other: Any, index: Tensor, modality: str, weight: float | None, draws: Draws) -> Any:
        """Lay ``other`` over ``x``, row by row."""
        answer = self.hook.mbti_superimpose(
            x=x, other=other, index=index, modality=modality, weight=weight, draws=draws
        )
        return self._need(answer, (object,), "mbti_superimpose", modality)

    def amplify(self, x: Any, modality: str, factor: float) -> Any:
        """Scale the signal of ``x``."""
        return self._need(
            self.hook.mbti_amplify(x=x, modality=modality, factor=factor), (object,), "mbti_amplify", modality
        )

    def occlude(self, x: Any, modality: str, draws: Draws) -> Iterable[tuple[Any, Any]]:
        """``x`` with one unit removed, each in turn."""
        return self._need(
            self.hook.mbti_occlude(x=x, modality=modality, draws=draws), (object,), "mbti_occlude", modality
        )

    def embedding_layer(self, model: nn.Module, info: ModelInfo) -> str:
        """Name of the token embedding."""
        return self._need(
            self.hook.mbti_embedding_layer(model=model, info=info), str, "mbti_embedding_layer", info.arch
        )

    def head(self, model: nn.Module, info: ModelInfo) -> Sequence[str]:
        """Names of the classifier head's modules."""
        return self._need(self.hook.mbti_head(model=model, info=info), (list, tuple), "mbti_head", info.arch)

    def augment(
        self, x: Any, index: Tensor, modality: str, strength: float, draws: Draws, facts: Mapping[str, Any]
    ) -> Any:
        """``x`` varied without changing labels; as it is where no plugin answers."""
        answer = self.hook.mbti_augment(
            x=x, index=index, modality=modality, strength=strength, draws=draws, facts=facts
        )
        return x if answer is None else answer

    def render(self, x: Any, modality: str) -> Sequence[Rendering]:
        """One rendering per row, for a person."""
        return self._need(self.hook.mbti_render(x=x, modality=modality), (list, tuple), "mbti_render", modality)

    def difference(self, x: Any, y: Any, modality: str, factor: float) -> Any | None:
        """What changed from ``x`` to ``y``, enlarged; None where no plugin answers."""
        return self.hook.mbti_difference(x=x, y=y, modality=modality, factor=factor)

    def picture(self, rows: Sequence[Any], modality: str) -> bytes:
        """Batches as one PNG file, a row each."""
        return self._need(self.hook.mbti_picture(rows=rows, modality=modality), bytes, "mbti_picture", modality)

    def files(self, x: Any, modality: str) -> tuple[str, Sequence[bytes]]:
        """How the names of the samples' files end, and one file per row."""
        return self._need(self.hook.mbti_files(x=x, modality=modality), tuple, "mbti_files", modality)

    def fidelity(self, x: Any, y: Any, modality: str) -> Mapping[str, Tensor]:
        """How close ``y`` is to ``x``, (B,) per measure; empty where no plugin answers."""
        answer = self.hook.mbti_fidelity(x=x, y=y, modality=modality)
        return {} if answer is None else answer

    def recipe(self, info: ModelInfo) -> Recipe:
        """How this family of models is fine-tuned."""
        return self._need(self.hook.mbti_recipe(info=info), Recipe, "mbti_recipe", info.arch)
