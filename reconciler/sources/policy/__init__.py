"""Rules across strategy files: `policy` of the settings × checked files → Problems. Pure."""

from reconciler.sources.policy.judging import Texts, judged
from reconciler.sources.policy.rules import Rules

__all__ = ["Rules", "Texts", "judged"]
