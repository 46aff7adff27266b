"""Programs that run inside Hummingbot's interpreter, started by their path. They import nothing of this package."""
