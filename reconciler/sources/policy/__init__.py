"""Rules across strategy files: `policy` of the settings × checked files → Problems. Pure. Start at `rules`."""
