"""What an LXC box is made of, beside its root.

LXC's configuration, the template, and the seed of each clone.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
CONFIG = _HERE / "lxc-config"
TEMPLATE = _HERE / "lxc-template"
SEED = _HERE / "seed"
