"""What an object leads to, by whatever way Python offers."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any


def reachable(*roots: Any) -> Iterator[Any]:
    """Yield every object that ``roots`` lead to: attributes, items, closures, defaults; each once.

    Modules and types are not entered, nor the globals of functions: through them everything leads to everything.
    """
    seen: dict[int, Any] = {}
    pending = list(roots)
    while pending:
        found = pending.pop()
        if id(found) in seen or isinstance(found, (ModuleType, type, BuiltinFunctionType)):
            continue
        seen[id(found)] = found
        yield found
        if isinstance(found, FunctionType):
            pending += [found.__closure__, found.__defaults__, found.__kwdefaults__]
        else:
            pending += gc.get_referents(found)
