"""JSON Schemas out of Hummingbot's own code. Nothing here is imported by what runs the bots."""
