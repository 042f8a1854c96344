"""Keys of the advisory locks, all in one place, so that no two mean the same by accident."""

from enum import IntEnum


class AdvisoryLock(IntEnum):
    """What runs one at a time in a database."""

    IMPORT = 0x5EED
    MIGRATION = 0x7EED_0001
    INDEXING = 0x7EED_0003
