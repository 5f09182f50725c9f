"""All checks that BackdoorMBTI has for this plugin's components, each a test of its own."""

from mbti_core.testing import conformance

test_conformance = conformance("template")
