"""The certificate authority of the local Azure: SDKs refuse to send a token over anything but TLS."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import trustme

HOSTS = ("127.0.0.1", "localhost")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A fresh authority and the certificate it signed for the loopback names.

    `ca_file` is what clients trust: as `connection_verify` of a client, or in SSL_CERT_FILE and REQUESTS_CA_BUNDLE,
    both set before the client's process starts. The private keys stay in memory and in the server's context.
    """

    ca_file: Path
    server: ssl.SSLContext
    client: ssl.SSLContext

    @classmethod
    def issue(cls, directory: Path) -> Self:
        """Make a new authority and write its public half to `directory`/ca.pem. The directory must exist."""
        authority = trustme.CA(organization_name="Airlock local Azure")
        ca_file = directory / "ca.pem"
        authority.cert_pem.write_to_path(ca_file)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.minimum_version = ssl.TLSVersion.TLSv1_2
        authority.issue_cert(*HOSTS).configure_cert(server)
        return cls(ca_file, server, ssl.create_default_context(cafile=str(ca_file)))
