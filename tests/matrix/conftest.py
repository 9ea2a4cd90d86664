"""What fleets of several Salts need of those of one."""

from tests.integration.conftest import factories, quiet_logging, salt_factories_config, short_directory

__all__ = ["factories", "quiet_logging", "salt_factories_config", "short_directory"]
