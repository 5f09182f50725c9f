"""Every test in this repository runs under the leak checks that plugin authors can use too."""

pytest_plugins = ["mbti_core.testing.pytest_plugin"]
