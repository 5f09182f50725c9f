"""What plugin authors test with: toy data, toy models, and the conformance kit."""
