"""`python -m benchmarks [ROOM ...]`: see command.py."""

from .command import main

main()
