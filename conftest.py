"""Every test in this repository runs under the leak checks that plugin authors can use too."""

import os

from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:  # the workers share the cores; torch reads this when it is imported
    os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest_plugins = ["mbti_core.testing.pytest_plugin"]

# No deadline: a busy machine is no fault of the code. The same examples each time: a red suite can be looked at again.
settings.register_profile("repository", deadline=None, derandomize=True, database=None)
settings.load_profile("repository")
