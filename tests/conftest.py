"""What every test may ask for."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.services"]

# What Hypothesis fails an example for by default tells how busy the machine is: one that takes longer than 200 ms, and
# draws that are slow, as the first are on a fresh machine, where it builds its table of Unicode.
settings.register_profile("pipeline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pipeline")
