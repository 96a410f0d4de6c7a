"""Write the Pipfile and Pipfile.lock of a folder with the package index of this machine's pip.

Usage: fill_in_index.py FROM_FOLDER TO_FOLDER, with the Python of pipenv. The guide's own files name
no index, for a school may have its own; pipenv wants one in both, and a hash of one in the other.
"""

import json
import sys
from pathlib import Path

# The pip that pipenv carries: it reads pip's settings, and pip itself cannot be imported beside it.
from pipenv.patched.pip._internal.commands import create_command
from pipenv.vendor import plette


def main():
    """Fill in both files."""
    templates, filled = Path(sys.argv[1]), Path(sys.argv[2])
    index = create_command("install").parser.get_default_values().index_url
    source = {"name": "pypi", "url": index, "verify_ssl": True}

    settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in source.items())
    pipfile = f"[[source]]\n{settings}\n" + (templates / "Pipfile").read_text()
    (filled / "Pipfile").write_text(pipfile)

    lock = json.loads((templates / "Pipfile.lock").read_text())
    with (filled / "Pipfile").open() as stream:
        lock["_meta"]["hash"] = {"sha256": plette.Pipfile.load(stream).get_hash().value}
    lock["_meta"]["sources"] = [source]
    (filled / "Pipfile.lock").write_text(json.dumps(lock, indent=4, sort_keys=True) + "\n")


main()
