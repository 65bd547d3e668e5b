"""AIR-003 on accounts, search services and storage accounts."""

from remediations.disable_local_authentication import REMEDIATION
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, SEARCH, STORAGE
from tests.laws import Examples, laws
from tests.remediations.bodies import account, search, storage

EXAMPLES = (
    Examples(
        COGNITIVE_ACCOUNTS,
        complies={"keys off": account(disableLocalAuth=True)},
        drifts={
            "keys on": account(disableLocalAuth=False),
            "never set": account(absent=["disableLocalAuth"]),
            "set to nothing": account(disableLocalAuth=None),
            "no custom subdomain": account(absent=["customSubDomainName"], disableLocalAuth=False),
        },
    ),
    Examples(
        SEARCH,
        complies={
            "keys off": search(disableLocalAuth=True, authOptions=None),
            "keys off, options absent": search(absent=["authOptions"], disableLocalAuth=True),
        },
        drifts={
            "keys only": search(disableLocalAuth=False, authOptions={"apiKeyOnly": {}}),
            "keys or Entra": search(
                disableLocalAuth=False,
                authOptions={"aadOrApiKey": {"aadAuthFailureMode": "http401WithBearerChallenge"}},
            ),
            "keys only, unsaid": search(disableLocalAuth=False, authOptions=None),
            "neither ever set": search(absent=["disableLocalAuth", "authOptions"]),
        },
    ),
    Examples(
        STORAGE,
        complies={"shared key off": storage(allowSharedKeyAccess=False)},
        drifts={
            "shared key on": storage(allowSharedKeyAccess=True),
            "never set": storage(absent=["allowSharedKeyAccess"]),
            "set to nothing": storage(allowSharedKeyAccess=None),
        },
    ),
)

TestLaws = laws(REMEDIATION, *EXAMPLES)
