"""Specifications of vibes_api without a network."""

from hypothesis import HealthCheck, settings

# On a fresh machine Hypothesis first builds its table of Unicode, which takes longer than it allows a draw.
fresh_machine = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
