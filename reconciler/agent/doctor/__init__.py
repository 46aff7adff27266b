"""What real bots need here: facts are gathered, then judged, each check a line of one table (`examine.CHECKS`)."""
