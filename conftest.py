"""Every test in this repository runs under the leak checks that plugin authors can use too."""

from hypothesis import settings

pytest_plugins = ["mbti_core.testing.pytest_plugin"]

# No deadline: a busy machine is no fault of the code. The same examples each time: a red suite can be looked at again.
settings.register_profile("repository", deadline=None, derandomize=True, database=None)
settings.load_profile("repository")
