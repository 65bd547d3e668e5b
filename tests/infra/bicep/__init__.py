"""A reader of Bicep: what a file deploys and what is wrong with it, without Azure and without the compiler."""

from tests.infra.bicep.checking import check
from tests.infra.bicep.deployment import Deployed, Deployment, Nested, Problem
from tests.infra.bicep.evaluation import Evaluated, evaluate
from tests.infra.bicep.scopes import Surroundings
from tests.infra.bicep.values import Runtime, Value

__all__ = [
    "Deployed",
    "Deployment",
    "Evaluated",
    "Nested",
    "Problem",
    "Runtime",
    "Surroundings",
    "Value",
    "check",
    "evaluate",
]
