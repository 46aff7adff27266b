"""`config show`, `completion`: the settings in force, and the shell's help."""
