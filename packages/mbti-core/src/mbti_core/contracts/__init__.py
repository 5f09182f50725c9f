"""What a plugin subclasses, one file each."""
