"""What `make demo` trains, measured: the report's figures for the documents.

python -m benchmarks.demo [--save]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile

from . import harness

FIGURES = ("photographs", "steps", "seconds", "count", "before", "after", "rows", "person")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", action="store_true", help="write results/demo.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "stn3dmm.cli", "demo", "--json", "--output", folder]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    training = json.loads(done.stdout)["training"]
    figures = {name: training[name] for name in FIGURES}
    print(json.dumps(figures, indent=1))
    if arguments.save:
        print(f"wrote {harness.save('demo', [figures])}")


if __name__ == "__main__":
    main()
