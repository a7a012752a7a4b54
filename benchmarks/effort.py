"""How much a benchmark does."""

from enum import StrEnum


class Effort(StrEnum):
    """What a run is for."""

    FULL = "full"
    """Figures to rely on."""
    QUICK = "quick"
    """Rough figures, and that everything works."""
    SMOKE = "smoke"
    """That the report has its shape; the figures tell nothing."""
