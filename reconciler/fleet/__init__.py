"""The client to the bots: one connection, the picture of every target, commands out and responses back."""
