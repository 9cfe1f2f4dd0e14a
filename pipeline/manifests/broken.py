"""What is wrong with a manifest, before its name is put in front."""


class BrokenManifestError(Exception):
    """A manifest that is not what its suffix says; translated where the manifest is opened."""
