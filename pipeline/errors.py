"""The errors that people see: one base, few names, each a sentence that says what to do next."""


class ImagemillError(Exception):
    """Something that the user can put right; its text is the whole message."""


class UsageError(ImagemillError):
    """An option or a combination of options that cannot work."""


class SourceError(ImagemillError):
    """A source that cannot be read as what it claims to be."""


class DatabaseError(ImagemillError):
    """The database cannot be reached, or its schema does not fit this code."""


class WeightsError(ImagemillError):
    """A weights file that is absent, no MobileNet v2, or does not fit its labels."""


class JobError(ImagemillError):
    """A job that does not exist, is held by another run, or does not fit what was asked."""


class UnknownJobError(JobError):
    """A job that does not exist, or an image that it does not have."""


class EngineError(ImagemillError):
    """The engine cannot go on: its device or its loader processes are gone for good."""


class BrokerError(ImagemillError):
    """The broker cannot be reached, or refuses what it was asked."""
