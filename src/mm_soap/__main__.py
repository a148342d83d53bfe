"""Runs the command as `python -m mm_soap`."""

from mm_soap.cli import main

main()
