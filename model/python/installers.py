"""Distributions that install others: an application that lists them does not depend on them."""

BROUGHT_ALONG = frozenset({"pip", "setuptools", "wheel"})
"""What Python images and virtual environments have before anything is installed."""

INSTALLERS = BROUGHT_ALONG | {"uv"}
"""The same, and what an author installs them with. Wheels of all of them come for every machine."""
