"""The remediations: one module each, found by being here. Responses and the alert map are packages beside them."""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from remediations.alerts import load_alerts
from shared.domain.catalogue import Catalogue
from shared.domain.remediation import Remediation
from shared.domain.response import Response


def load_catalogue() -> Catalogue:
    """Every remediation and response in the order of their refs, and the alert map. Importing alone loads none."""
    remediations: list[Remediation] = [module.REMEDIATION for module in _modules(__name__)]
    responses: list[Response] = [module.RESPONSE for module in _modules(f"{__name__}.responses")]
    return Catalogue(
        remediations=tuple(sorted(remediations, key=lambda remediation: remediation.ref)),
        responses=tuple(sorted(responses, key=lambda response: response.ref)),
        alerts=load_alerts(),
    )


def _modules(package: str) -> Iterator[ModuleType]:
    """The modules right inside a package; packages in it are something else."""
    for found in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if not found.ispkg:
            yield importlib.import_module(f"{package}.{found.name}")
