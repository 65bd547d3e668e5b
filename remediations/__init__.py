"""The remediations: one module each, found by being here."""

import importlib
import pkgutil

from shared.domain.catalogue import Catalogue
from shared.domain.remediation import Remediation


def load_catalogue() -> Catalogue:
    """Every remediation of this package, in the order of their refs. Importing the package alone loads none."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    remediations: list[Remediation] = [module.REMEDIATION for module in modules]
    return Catalogue(tuple(sorted(remediations, key=lambda remediation: remediation.ref)))
