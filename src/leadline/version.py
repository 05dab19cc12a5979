"""The version, in the one place from which the package, the journal and the build take it."""

__version__ = "0.1.0"
