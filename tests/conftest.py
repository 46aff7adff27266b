"""What holds for every test: Hypothesis never fails one for being slow, since machines are busy at times."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("patient", deadline=None, print_blob=True)
settings.load_profile("patient")
