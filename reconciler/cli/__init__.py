"""The command line: one module per group of commands, thin: parse, one call, print, exit code."""
