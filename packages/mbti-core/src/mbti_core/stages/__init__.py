"""The stages, one file each, in the order data flows: pure functions from artifacts and config to an artifact."""

# A version rises when a stage's results change; it is part of every key.
VERSIONS = {"prepare": 1, "corrupt": 1, "fit": 1, "poison": 1, "train": 1, "represent": 1, "defend": 1, "evaluate": 2}
