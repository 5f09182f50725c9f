"""What the package offers, by kind; nothing here imports torch or a component."""
