"""Rules across strategy files: `policy` of the settings × checked files → Problems. Pure."""

from reconciler.sources.policy.rules import PolicyRules

__all__ = ["PolicyRules"]
