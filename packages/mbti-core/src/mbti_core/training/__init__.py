"""The training loop, shared by the victim, its twin and every defense that fine-tunes."""
