"""How a service asks for a token of its own: the client credentials grant of OAuth 2 (RFC 6749, section 4.4)."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from ecshop.kernel.validation import Wrong

Assertion = Annotated[str, Meta(max_length=4096, examples=["eyJhbGciOiJFZERTQSJ9.e30.c2ln"])]
AssertionType = Literal["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
JWT_BEARER: Final[AssertionType] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Presented = Annotated[str, Meta(max_length=1024, examples=["0123456789abcdef0123456789abcdef"])]


class ServiceTokenRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The client credentials grant of OAuth 2 (RFC 6749, section 4.4), with the callee as the audience.

    The service proves itself by its secret, or by an assertion that it has signed (RFC 7523, section 2.2).
    """

    grant_type: Annotated[str, Meta(max_length=1024, examples=["client_credentials"])]
    client_id: Annotated[str, Meta(max_length=1024, examples=["order"])]
    audience: Annotated[str, Meta(max_length=1024, examples=["stock"])]
    scope: Annotated[str, Meta(max_length=1024, examples=["stock.reserve"])]
    client_secret: Presented | UnsetType = UNSET
    client_assertion: Assertion | UnsetType = UNSET
    client_assertion_type: AssertionType | UnsetType = UNSET

    def __post_init__(self) -> None:
        if (self.client_secret is UNSET) == (self.client_assertion is UNSET):
            raise Wrong("client_secret", "must be there, or else client_assertion")
        if (self.client_assertion is UNSET) != (self.client_assertion_type is UNSET):
            raise Wrong("client_assertion_type", "must be there with client_assertion, and only with it")
