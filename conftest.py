import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

# The CDK's hooks must be named here: pytest accepts `pytest_plugins` in the root conftest only.
pytest_plugins = ["airbyte_cdk.test.standard_tests.pytest_hooks"]

# No test asserts a time, not even hypothesis's own of 200 ms for an example: machines are noisy.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Commands set up logging for a process of their own; the next test must not inherit it."""
    root, ours = logging.getLogger(), logging.getLogger("salesforce_bulk")
    known = [logger for logger in root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    before = [(logger, logger.level, logger.handlers[:]) for logger in (root, *known)]
    parent = ours.parent
    yield
    logging.captureWarnings(capture=False)
    ours.parent = parent  # the source's own doing; other parents change as loggers come into being
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
