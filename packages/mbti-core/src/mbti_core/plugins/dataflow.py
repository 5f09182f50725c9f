"""Which layer reads what another one writes: read off the graph that autograd records of one forward pass.

Names and registration order say nothing of it: a pre-activation block registers a BatchNorm before the convolution that
it belongs to, a shortcut's convolution stands last, and a densely connected layer writes what many others normalize.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from mbti_core.contracts.model import InputSpec

_ATTENTION = ("ScaledDotProduct", "SoftmaxBackward", "SafeSoftmaxBackward")
_LEAF = "AccumulateGrad"


class Flow:
    """The graph of one forward pass, with the modules that wrote and read its nodes.

    Attributes:
        order: Names of the convolutions, linear layers and norms in the order of their calls.
    """

    def __init__(self, kinds: tuple[type[nn.Module], ...]) -> None:
        self.order: list[str] = []
        self._kinds = kinds
        self._writes: dict[str, list[Node | None]] = defaultdict(list)
        self._reads: dict[str, list[Node | None]] = defaultdict(list)
        self._users: dict[Node, list[Node]] = defaultdict(list)
        self._nodes: set[Node] = set()

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """Note what each module of interest reads and writes inside the block."""
        handles = []
        for name, module in model.named_modules():
            if isinstance(module, self._kinds):
                handles.append(module.register_forward_pre_hook(lambda m, inputs, name=name: self._read(name, inputs)))
                handles.append(module.register_forward_hook(lambda m, i, output, name=name: self._wrote(name, output)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _read(self, name: str, inputs: tuple[Any, ...]) -> None:
        self.order += [] if name in self._reads else [name]
        self._reads[name].append(inputs[0].grad_fn if inputs else None)

    def _wrote(self, name: str, output: Tensor) -> None:
        self._writes[name].append(output.grad_fn)

    def close(self, logits: Tensor) -> None:
        """Walk the graph down from the logits."""
        waiting = [logits.grad_fn]
        while waiting:
            node = waiting.pop()
            if node is None or node in self._nodes:
                continue
            self._nodes.add(node)
            for before in _before(node):
                self._users[before].append(node)
                waiting.append(before)

    @property
    def attends(self) -> bool:
        """Whether there is attention in the model."""
        return any(node.name().startswith(_ATTENTION) for node in self._nodes)

    def reads_alone(self, reader: str, writer: str) -> bool:
        """Tell whether ``reader`` reads just what ``writer`` writes, in each of their calls, and nothing else does."""
        written, read = self._writes[writer], self._reads[reader]
        alone = all(node is not None and len(self._users[node]) == 1 for node in written)
        return alone and len(written) == len(read) and all(a is b for a, b in zip(written, read, strict=True))

    def feeds(self, writer: str, reader: str) -> bool:
        """Tell whether ``reader`` alone reads what ``writer`` writes, through at least one function of nothing else."""
        if len(self._writes[writer]) != 1 or len(self._reads[reader]) != 1:
            return False
        (end,), (at,) = self._writes[writer], self._reads[reader]
        steps = 0
        while at is not None and len(self._users[at]) == 1:
            if at is end:
                return steps > 0
            before = _before(at)
            at, steps = before[0] if len(before) == 1 else None, steps + 1
        return False

    def gates(self, writer: str) -> bool:
        """Tell whether what ``writer`` writes only scales something else, after a sigmoid."""
        if len(self._writes[writer]) != 1:
            return False
        (at,) = self._writes[writer]
        through = ""
        while at is not None and len(self._users[at]) == 1:
            (user,) = self._users[at]
            if user.name().startswith("MulBackward"):
                return "igmoid" in through and len(_before(user)) == 2
            at, through = user if len(_before(user)) == 1 else None, through + user.name()
        return False


def _before(node: Node) -> list[Node]:
    """Return the nodes whose results a node reads; parameters and constants are none."""
    return [n for n, _ in node.next_functions if n is not None and not n.name().endswith(_LEAF)]


def trace(model: nn.Module, spec: InputSpec, kinds: tuple[type[nn.Module], ...]) -> Flow | None:
    """Follow one sample of zeros through a model that takes float batches of the shape of ``spec``.

    The model is left as it is: mode, hooks and gradients.

    Args:
        model: Batch to logits.
        spec: One input; symbols, texts and free axes cannot be made up.
        kinds: Classes of the modules that the graph is to name.

    Returns:
        The graph; None where the model cannot be followed.
    """
    axes = [length for length in spec.shape if length is not None]
    if spec.discrete or spec.dtype == "str" or len(axes) < len(spec.shape):
        return None
    flow, device = Flow(kinds), next((p.device for p in model.parameters()), torch.device("cpu"))
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device.type, enabled=False):
            with flow.watching(model):
                logits = model(torch.zeros(1, *axes, device=device, requires_grad=True))
            flow.close(logits)
    except Exception:  # a model may raise anything on a made-up input, and then its structure has to do
        return None
    finally:
        for module, training in modes:
            module.training = training
    return flow
