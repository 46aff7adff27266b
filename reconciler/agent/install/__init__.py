"""Hummingbot in a virtual environment of its own: made by uv, described by a marker, tried by a probe."""
