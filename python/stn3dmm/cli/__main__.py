"""`python -m stn3dmm.cli`: the command `stn3dmm`, where a launcher wants a module."""

from stn3dmm.cli import main

if __name__ == "__main__":
    main()
