"""The migrations of the dispatcher's database."""
