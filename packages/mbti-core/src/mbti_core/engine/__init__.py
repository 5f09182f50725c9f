"""From a spec to artifacts: configs, keys, plan, store, runner, executors."""
