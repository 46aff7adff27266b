"""What must outlive the process: inventory, outbox, what was told, the last good revision."""
