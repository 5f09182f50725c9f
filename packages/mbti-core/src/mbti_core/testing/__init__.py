"""What plugin authors test with: toy data, toy models, and the conformance kit."""

from mbti_core.testing.suite import CheckResult, conformance, run_checks, write_golden

__all__ = ["CheckResult", "conformance", "run_checks", "write_golden"]
