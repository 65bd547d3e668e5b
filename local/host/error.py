"""The one exception of the host."""


class HostError(Exception):
    """The app cannot be hosted: it does not index, wants what this host does not serve, or its worker keeps dying."""
