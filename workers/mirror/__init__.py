"""The mirror of Vibes' MobileDB: persons and their stays, as facts told by callbacks and API answers add up.

Pure: `identity` (which ids mean the same person) and `fold` (which fact wins). I/O: `store`.
"""

from workers.mirror.store import Mirror, write_mirror

__all__ = ["Mirror", "write_mirror"]
