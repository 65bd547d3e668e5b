"""A simulated Azure Resource Manager: state, merge rules, long-running operations, locks, keys, events."""

from local.arm.estate import Estate
from local.arm.service import ArmConfig, ArmRequest, ArmService

__all__ = ["ArmConfig", "ArmRequest", "ArmService", "Estate"]
