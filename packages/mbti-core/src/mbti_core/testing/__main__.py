"""``python -m mbti_core.testing PLUGIN FILE``: record what a plugin's components give now."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mbti_core.testing.suite import write_golden

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m mbti_core.testing", description="Record golden numbers.")
    parser.add_argument("plugin", help="name of the plugin's entry point")
    parser.add_argument("file", type=Path, help="JSON file beside the plugin's tests")
    asked = parser.parse_args()
    sys.stdout.write(f"{write_golden(asked.plugin, asked.file)} records in {asked.file}\n")
