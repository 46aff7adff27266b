"""Messages from the bots, folded into a picture of each target. Pure."""
