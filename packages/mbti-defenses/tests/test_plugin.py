from __future__ import annotations

import subprocess
import sys

from mbti_core.contracts.defense import Defense
from mbti_core.plugins.manager import Registry
from mbti_defenses import plugin


def test_listing_imports_neither_torch_nor_a_defense():
    code = (
        "import sys; from mbti_defenses import plugin; print([c.id for c in plugin.mbti_register()]);"
        "assert not {'torch', 'sklearn', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50)
    assert done.stdout.strip() == "['any/ft', 'any/fp', 'any/clp', 'any/abl', 'any/strip', 'any/ac', 'any/nc']"


def test_every_component_is_a_defense_with_a_source_and_serves_every_modality():
    registry = Registry(points=[], blocked=frozenset())
    registry.register(plugin, "defenses")
    for entry in registry.components("defense"):
        found = registry.find("defense", entry.component.name, "anything").load()
        assert issubclass(found, Defense)
        assert entry.component.source.url
        assert entry.component.source.deviations
        assert found.needs
        assert found.yields
        for section in ("Shape:", "Raises:", "Source:", "Deviates:", "Example:"):
            assert section in found.__doc__
