"""What is wrong with an archive, before its name is put in front."""


class BrokenArchiveError(Exception):
    """An archive that is not what its suffix says."""
