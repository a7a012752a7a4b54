"""Erasing persons, on a real database, against a stand-in for Vibes."""
