"""Measures what a message costs on its way from a sender to a mailbox: ``python -m benchmarks``."""
