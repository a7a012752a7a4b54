"""The file of bodies that the senders read."""

from collections.abc import Iterable
from pathlib import Path


def write_bodies(path: Path, bodies: Iterable[bytes]) -> None:
    """Write a body a line. Raises ValueError when one has a line break of its own."""
    with path.open("wb") as file:
        for body in bodies:
            if b"\n" in body:
                raise ValueError("a body with a line break cannot be a line of a file")
            file.write(body + b"\n")
