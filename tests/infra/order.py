"""In which order Azure deploys."""

from tests.infra.bicep import Deployed, Deployment


def waits_for(deployment: Deployment, later: Deployed, earlier: str) -> bool:
    """Whether the resource is deployed only once the one of the id `earlier` is there."""
    waiting = [*later.depends_on, *_of_modules(deployment, later.module)]
    met: set[str] = set()
    while waiting:
        id_ = waiting.pop()
        if id_ == earlier:
            return True
        if id_ not in met:
            met.add(id_)
            waiting += _before(deployment, id_)
    return False


def _of_modules(deployment: Deployment, path: tuple[str, ...]) -> list[str]:
    """What the modules around a resource wait for."""
    around = (each for each in deployment.modules if each.module == path[: len(each.module)])
    return [id_ for each in around for id_ in each.depends_on]


def _before(deployment: Deployment, id_: str) -> list[str]:
    """What is done when the resource or the module of this id is done: what it waits for, and what is in it."""
    found = [need for each in deployment.resources if each.id == id_ for need in each.depends_on]
    for module in deployment.modules:
        if module.id == id_:
            inner = [each for each in deployment.resources if each.module[: len(module.module)] == module.module]
            found += [*module.depends_on, *(each.id for each in inner if not each.existing)]
    return found
