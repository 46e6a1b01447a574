"""What a user can cause in this package. Light to import: the command line knows these before torch."""

from __future__ import annotations


class ModelError(Exception):
    """One line for the user: what, where, what to do."""


class RequestError(ModelError):
    """What was asked for makes no sense, whatever the files hold."""


class DatasetError(ModelError):
    """The data are missing or not in the form expected."""


class CheckpointError(ModelError):
    """A weights or state file is missing, corrupt, or not this network's."""


class RecipeError(ModelError):
    """A training configuration that cannot be used."""
