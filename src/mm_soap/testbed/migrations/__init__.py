"""The versions of the test bed's tables."""
