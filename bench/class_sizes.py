#!/usr/bin/env python3
"""Wall time of `lab up` and `lab verify` for classes of several sizes, each from no machine at all.

Cold: the bake (class steps once, from two students on) is made within the time. Warm: it is there.

Usage: bench/class_sizes.py [SIZE ...]
1 3 6 by default; the box is built before the clock starts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

BOX = "debian-12"
LAB = [sys.executable, "-m", "lab"]
REPOSITORY = Path(__file__).resolve().parents[1]


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or [1, 3, 6]
    lab("box", "build", BOX, cwd=Path.cwd())
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, box {BOX}, provider lxc\n")
    print("| students | lab up, cold | lab up again | lab verify | lab up, warm |")
    print("|---|---|---|---|---|")
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="lab-bench-") as name:
            folder = Path(name)
            students = ", ".join(f"s{number:02}" for number in range(1, size + 1))
            (folder / "labs.yaml").write_text(
                f"defaults: {{box: {BOX}, domain: bench.example.org,\n"
                "  guest: {ca_certificates: host}}\n"
                f"labs: {{hellopython: {{students: [{students}]}}}}\n",
                encoding="utf-8",
            )
            lab("box", "prune", cwd=folder)
            try:
                times = [lab(*command, cwd=folder) for command in (("up",), ("up",), ("verify",))]
                lab("destroy", "--yes", cwd=folder)
                times.append(lab("up", cwd=folder))
            finally:
                lab("destroy", "--yes", cwd=folder)
        cells = " | ".join(f"{seconds:.1f} s" for seconds in times)
        print(f"| {size} | {cells} |", flush=True)


def lab(*arguments: str, cwd: Path) -> float:
    """Run `lab`, and return the seconds that it took."""
    started = time.monotonic()
    subprocess.run(
        [*LAB, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    return time.monotonic() - started


if __name__ == "__main__":
    main()
