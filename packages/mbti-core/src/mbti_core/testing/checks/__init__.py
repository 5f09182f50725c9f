"""The checks of the conformance kit, one file per kind of component."""
