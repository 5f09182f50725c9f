"""What each shortcut of trigger inversion gains: run by hand, all in one run.

A step of Neural Cleanse's search for one class is some batches of 32, forward and backward through the model. The plain
form works in fp32 on contiguous pictures, with gradients of the weights too, one class after another. Each line adds
one shortcut to those above it; the last is the search as the defense runs it, all classes in a batch. Steps are of
equal work, and forms alternate, so that a busy machine slows all of them; the fastest round counts. That classes leave
once they are done comes on top, and depends on the model.

Example: ``python benchmarks/inversion.py --model resnet18``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch.nn import functional

from mbti_core.contracts.defense import LabelledSet
from mbti_core.contracts.model import InputSpec, ModelInfo
from mbti_core.contracts.trigger_space import TriggerSpace
from mbti_core.data.dense import HeldTensor
from mbti_core.data.rng import Draws
from mbti_core.plugins.manager import registry
from mbti_core.training.subject import Subject
from mbti_defenses.inspect.inversion import Search, invert

BATCH, CLASSES = 32, 10
CPU = torch.device("cpu")


def subject_of(name: str) -> tuple[Subject, TriggerSpace]:
    """Return an untrained model on pictures of 32 pixels, and its family of triggers: weights do not matter here."""
    plugins = registry()
    found = plugins.find("model", name, "image")
    spec = InputSpec((3, 32, 32), "uint8", 0, 255)
    info = ModelInfo(found.component.id, "image", spec, CLASSES)
    model = found.load()(info).eval()
    subject = Subject(model, info, plugins.modalities["image"], plugins.adapters, CPU)
    return subject, plugins.adapters.trigger_space(model, info, spec, "mask")


def plain(subject: Subject, space: TriggerSpace, data: LabelledSet, batches: int, *, frozen: bool, last: bool) -> None:
    """Take a step of each class, one after another."""
    model = subject.model.to(memory_format=torch.channels_last if last else torch.contiguous_format)
    for parameter in model.parameters():
        parameter.requires_grad = not frozen
    for goal in range(CLASSES):
        params = {name: t.clone().requires_grad_() for name, t in space.initial(Draws(goal)).items()}
        optimizer = torch.optim.Adam(params.values(), 0.1, (0.5, 0.9))
        for part in range(batches):
            rows = torch.arange(part * BATCH, (part + 1) * BATCH)
            x = subject.encode(data.x.take(rows))
            x = x if last else x.contiguous()
            with subject.precision():
                logits = space.logits(model, space.apply(x, params)).float()
            loss = functional.cross_entropy(logits, torch.full((BATCH,), goal)) + 1e-3 * space.size(params)
            model.zero_grad(set_to_none=True)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    for parameter in model.parameters():
        parameter.grad = None


def together(subject: Subject, space: TriggerSpace, data: LabelledSet, batches: int) -> None:
    """Take a step of all classes as the defense does."""
    subject.model.to(memory_format=torch.channels_last)
    search = Search(steps=1, batches=batches, batch=BATCH)
    invert(subject, space, data, torch.arange(CLASSES), search, Draws(0))


def main() -> None:
    """Print seconds of a step of ten classes in each form, and how many times faster than the plain one it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--batches", type=int, default=2, help="of a class in a step")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    subject, space = subject_of(asked.model)
    rows = asked.batches * BATCH
    x = torch.randint(0, 256, (rows, 3, 32, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    data = LabelledSet(HeldTensor(x), torch.arange(rows) % CLASSES, torch.arange(rows))
    half = replace(subject, autocast=torch.bfloat16)
    forms: dict[str, Callable[[], None]] = {
        "plain": partial(plain, subject, space, data, asked.batches, frozen=False, last=False),
        "frozen weights": partial(plain, subject, space, data, asked.batches, frozen=True, last=False),
        "channels last": partial(plain, subject, space, data, asked.batches, frozen=True, last=True),
        "bfloat16": partial(plain, half, space, data, asked.batches, frozen=True, last=True),
        "all classes at once": partial(together, half, space, data, asked.batches),
    }
    best = dict.fromkeys(forms, float("inf"))
    for _ in range(asked.rounds):
        for name, form in forms.items():
            start = time.perf_counter()
            form()
            best[name] = min(best[name], time.perf_counter() - start)
    for name, seconds in best.items():
        print(f"{name:20} {seconds:8.2f} s {best['plain'] / seconds:6.2f} times")


if __name__ == "__main__":
    main()
