"""The plugin system: hooks, the manager that loads and checks plugins, and the typed front of the adapter hooks."""
