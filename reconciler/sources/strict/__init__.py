"""The strict YAML reader behind `documents`: a quick pass for files that are fine, a careful one for the rest. Pure."""
