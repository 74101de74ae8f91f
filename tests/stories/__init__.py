"""Repositories with the structures of four real image migrations, for the tests."""
