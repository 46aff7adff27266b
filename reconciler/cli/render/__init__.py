"""What commands print, as values and texts: pure functions of what a command got."""
