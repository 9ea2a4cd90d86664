"""What fleets of several Salts need of those of one."""

from tests.integration.conftest import (
    factories,
    pytest_configure,
    pytest_runtest_setup,
    quiet_logging,
    salt_factories_config,
    short_directory,
)

__all__ = [
    "factories",
    "pytest_configure",
    "pytest_runtest_setup",
    "quiet_logging",
    "salt_factories_config",
    "short_directory",
]
