"""`python -m servicepunkt.core`: the `servicepunkt` command line."""

from servicepunkt.core.cli import main

main()
