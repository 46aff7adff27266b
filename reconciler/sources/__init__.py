"""Git and the working tree → checked documents."""
