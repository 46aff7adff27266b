"""What must outlive the process: inventory, outbox, what was reported, the last good revision."""
