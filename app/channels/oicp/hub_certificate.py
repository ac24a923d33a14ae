"""Who a client of the simulated Hubject is: what its certificate says, against what its request says."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec
from cryptography import x509
from cryptography.x509.oid import NameOID
from litestar.types import HTTPScope

from app.channels.oicp.hub_rules import OPERATOR_REFUSALS, Refusal
from app.domain.errors import MalformedEvseId
from app.domain.evse_id import operator_key


class Client(msgspec.Struct, frozen=True):
    """Who is at the other end. `partner_ids` are the common names of the certificate; `None` if it showed none."""

    by_tls: bool
    partner_ids: tuple[str, ...] | None


def client_of(scope: HTTPScope) -> Client:
    """Read what the server found out about the client.

    Spec: ASGI TLS extension 0.2
    """
    extensions: dict[str, Any] = dict(scope.get("extensions") or {})
    chain = extensions.get("tls", {}).get("client_cert_chain") or []
    return Client(scope["scheme"] == "https", _common_names(chain[0]) if chain else None)


def check_client(client: Client, operator: str) -> None:
    """Check that the certificate is that of the operator in the address. Without TLS there is nothing to check.

    Spec: OICP 2.3 CPO §Security

    Raises:
        Refusal: it is another partner's, or there is none.
    """
    _check(client, operator, _operator_key)


def check_provider(client: Client, provider: str) -> None:
    """Check the same for an EMP.

    Raises:
        Refusal: it is another partner's, or there is none.
    """
    _check(client, provider, provider_key)


def provider_key(provider: str) -> str:
    return provider.upper().replace("-", "").replace("*", "")


def _check(client: Client, partner: str, key: Callable[[str], str]) -> None:
    if not client.by_tls:
        return
    own = client.partner_ids or ()
    if key(partner) not in {key(one) for one in own}:
        whose = f"the client certificate of {', '.join(own) or 'nobody'}" if client.partner_ids is not None else "none"
        raise Refusal(f"{whose} where that of {partner} is due", *OPERATOR_REFUSALS["017"])


def _operator_key(text: str) -> str:
    try:
        return operator_key(text)
    except MalformedEvseId:  # a common name may be anything
        return text


@lru_cache(maxsize=64)
def _common_names(certificate: str) -> tuple[str, ...]:
    subject = x509.load_pem_x509_certificate(certificate.encode()).subject
    return tuple(str(one.value) for one in subject.get_attributes_for_oid(NameOID.COMMON_NAME))
