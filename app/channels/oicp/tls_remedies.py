"""What to do about each failure of TLS towards Hubject, in the words of its configuration."""

from collections.abc import Mapping
from typing import Final

from app.channels.tls_failures import TlsFailure
from app.domain.total import total

REMEDIES: Final[Mapping[TlsFailure, str]] = total(
    TlsFailure,
    {
        TlsFailure.UNKNOWN_CA: "put Hubject's CA chain, root and intermediate of this environment, into caBundle",
        TlsFailure.EXPIRED: "if what expired is in caBundle, put Hubject's new CA chain there; otherwise ask Hubject, "
        "unless this machine's clock is wrong",
        TlsFailure.NOT_YET_VALID: "check this machine's clock; if it is right, ask Hubject",
        TlsFailure.WRONG_NAME: "check the host in baseUrl; if it is right, ask Hubject",
        TlsFailure.UNFIT: "ask Hubject, or whoever runs the proxy that baseUrl names",
        TlsFailure.OURS_MISSING: "configure clientCertificate and clientKey",
        TlsFailure.OURS_EXPIRED: "have Hubject sign a new CSR, and change clientCertificate and clientKey",
        TlsFailure.OURS_OF_UNKNOWN_CA: "see that clientCertificate was signed by Hubject for this environment (QA and "
        "production differ), and that the chain it came with follows it there",
        TlsFailure.OURS_REVOKED: "have Hubject sign a new CSR, and change clientCertificate and clientKey",
        TlsFailure.OURS_NOT_ACCEPTED: "see that clientCertificate is what Hubject signed for operatorId, with its "
        "chain, and ask Hubject if it was locked",
        TlsFailure.TURNED_AWAY: "if clientCertificate and clientKey are not configured, do that; if they are, see that "
        "the certificate is for this environment and has its chain",
        TlsFailure.TOO_OLD: "check baseUrl: Hubject speaks TLS 1.2 and 1.3, and so must a proxy before it",
        TlsFailure.NO_TLS: "check the port in baseUrl",
    },
)


def markdown() -> str:
    """Render them for the README."""
    rows = [f"| {failure} | {remedy} |" for failure, remedy in REMEDIES.items()]
    return "\n".join(["| failure | what to do |", "|---|---|", *rows])
