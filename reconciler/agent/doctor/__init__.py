"""What real bots need here: facts are gathered, then judged, each check a line of one table."""

from reconciler.agent.doctor.examine import CHECKS, examine
from reconciler.agent.doctor.judging import Finding, Verdict

__all__ = ["CHECKS", "Finding", "Verdict", "examine"]
