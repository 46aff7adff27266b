"""Simulated bots: they trade nothing, so that everything around them can be tried out."""
