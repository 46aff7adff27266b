"""The strict YAML reader: a fast one for files of plain `key: value` lines, a careful one for all others. Pure."""
