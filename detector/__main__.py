"""`python -m detector`: the command line where the folder of scripts is not on PATH."""

from detector.cli import main

main()
