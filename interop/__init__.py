"""Runs every client of ``clients/`` against a served demonstration."""
