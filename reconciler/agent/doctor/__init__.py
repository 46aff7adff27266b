"""What real bots need on this machine: probes gather facts, verdicts judge them, `checks.CHECKS` pairs the two."""
