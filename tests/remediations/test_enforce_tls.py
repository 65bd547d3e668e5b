"""AIR-004 on storage accounts."""

from remediations.enforce_tls import REMEDIATION
from shared.domain.resource_types import STORAGE
from tests.laws import Examples, laws
from tests.remediations.bodies import storage

EXAMPLES = (
    Examples(
        STORAGE,
        complies={
            "TLS 1.2 over HTTPS only": storage(minimumTlsVersion="TLS1_2", supportsHttpsTrafficOnly=True),
            "TLS 1.3 is stronger": storage(minimumTlsVersion="TLS1_3", supportsHttpsTrafficOnly=True),
            "NFS shares cannot travel over HTTPS": storage(
                minimumTlsVersion="TLS1_2", supportsHttpsTrafficOnly=False, isNfsV3Enabled=True, isHnsEnabled=True
            ),
            "a notification's spelling": storage(minimumTlsVersion="tls1_2", supportsHttpsTrafficOnly=1),
        },
        drifts={
            "TLS 1.0": storage(minimumTlsVersion="TLS1_0"),
            "TLS 1.1": storage(minimumTlsVersion="TLS1_1"),
            "a minimum never set": storage(absent=["minimumTlsVersion"]),
            "plain HTTP": storage(supportsHttpsTrafficOnly=False),
            "neither ever set": storage(absent=["minimumTlsVersion", "supportsHttpsTrafficOnly"]),
            "plain HTTP though no share is NFS": storage(supportsHttpsTrafficOnly=False, isNfsV3Enabled=False),
            "NFS with TLS 1.0": storage(
                minimumTlsVersion="TLS1_0", supportsHttpsTrafficOnly=False, isNfsV3Enabled=True, isHnsEnabled=True
            ),
            "TLS 1.3 over plain HTTP": storage(minimumTlsVersion="TLS1_3", supportsHttpsTrafficOnly=False),
        },
    ),
)

TestLaws = laws(REMEDIATION, *EXAMPLES)
