"""Specifications of vibes_api without a network."""
