"""Settings as values: importing one loads no YAML reader, no file system and no parser of texts."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_settings_values_imports_no_loader() -> None:
    program = (
        "import sys; before = set(sys.modules); import reconciler.settings.model;"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    loaded = done.stdout.split()
    assert [name for name in loaded if name.startswith("reconciler.settings.")] == [
        "reconciler.settings.model"
    ]
    assert "yaml" not in loaded
    assert "difflib" not in loaded
