"""The mm-soap command."""

from mm_soap.cli.app import main

__all__ = ["main"]
