"""AIR-005 on storage accounts."""

from remediations.disallow_blob_public_access import REMEDIATION
from shared.domain.resource_types import STORAGE
from tests.laws import Examples, laws
from tests.remediations.bodies import storage

EXAMPLES = (
    Examples(
        STORAGE,
        complies={
            "disallowed": storage(allowBlobPublicAccess=False),
            "a notification's spelling": storage(allowBlobPublicAccess=0),
            "disallowed as a word": storage(allowBlobPublicAccess="False"),
        },
        drifts={
            "allowed": storage(allowBlobPublicAccess=True),
            "never set": storage(absent=["allowBlobPublicAccess"]),
            "null": storage(allowBlobPublicAccess=None),
            "allowed, though nobody comes in from outside": storage(
                allowBlobPublicAccess=True, publicNetworkAccess="Disabled"
            ),
        },
    ),
)

TestLaws = laws(REMEDIATION, *EXAMPLES)
