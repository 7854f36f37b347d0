"""The gateway: nginx as one origin for all services, from one template that the list of contexts fills."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Final, NamedTuple

import msgspec

from ecshop.kernel.http.safety import NO_REFERRER, NO_STORE, NOSNIFF, NOTHING, OWN_PAGE
from entrypoints.contexts import SERVICE_NAMES, SERVICES, Service
from entrypoints.settings import BadSetting

_TEMPLATE: Final = Path(__file__).parent / "nginx.conf"
_REPLICA: Final = re.compile(r"(\w+)=([\w.-]+:\d{1,5})")
_FRONT: Final = "order"
"""Whose readiness names all of the others."""
_MARGIN: Final = 2.0  # seconds in which a service that has run out of time says so itself
_SHARED: Final = """\
add_header Access-Control-Allow-Origin $allowed_origin always;
        add_header Access-Control-Expose-Headers $exposed_headers always;
        add_header Access-Control-Allow-Methods $allowed_methods always;
        add_header Access-Control-Allow-Headers $allowed_headers always;
        add_header X-Content-Type-Options $nosniff always;
        add_header Referrer-Policy $referrer_policy always;
        add_header Content-Security-Policy $content_policy always;
        add_header Cache-Control $cache_control always;"""
_UPSTREAM: Final = """\
    upstream {name} {{
        zone {name} 64k;
        least_conn;
{servers}
        keepalive 64;
        keepalive_requests 100000;
        keepalive_timeout 60s;  # before a service closes a connection, which is after 75 s
    }}
"""
_SERVER: Final = "        server {address} max_fails=3 fail_timeout=2s;"
_UPLOAD: Final = """
            client_max_body_size 16m;  # the service says itself what is too large"""
_INSIDE: Final = """
    server {{
        listen {listen};
        location / {{ proxy_pass http://{name}; }}
    }}
"""
_LOCATION: Final = """\
        location ~ ^/(?:{paths})(?:/|$) {{{body}
            limit_req zone=clients burst={burst} nodelay;
            proxy_pass http://{name};
        }}"""


class Gateway(NamedTuple):
    listen: str
    upstreams: Mapping[str, Sequence[str]]
    """By service, the host and port of each of its replicas; a service that is not named is nowhere."""
    folder: Path
    """Where nginx puts what it is in the middle of."""
    docs: Path
    """What `ecshop docs` has written."""
    request_seconds: float
    rate: int
    """Requests a second of one client; for a moment ten times as many."""
    origins: Sequence[str] = ()
    """Whose pages may call the shop from a browser (Fetch, CORS)."""
    inside: Mapping[str, str] = {}
    """By service, where the other services find one of its replicas, and nobody from outside should."""


class _Filled(Template):
    """nginx has its own use for dollars."""

    delimiter = "%"


def nginx_conf(gateway: Gateway) -> str:
    return _Filled(_TEMPLATE.read_text()).substitute(
        folder=gateway.folder,
        docs=gateway.docs,
        listen=gateway.listen,
        rate=gateway.rate,
        patience=f"{gateway.request_seconds + _MARGIN:g}",
        front=_FRONT,
        shared=_SHARED,
        nosniff=NOSNIFF,
        referrer_policy=NO_REFERRER,
        nothing=NOTHING,
        own_page=OWN_PAGE,
        no_store=NO_STORE,
        origins="\n".join(f'        "{origin}" $http_origin;' for origin in gateway.origins),
        upstreams="\n".join(_upstream(name, addresses) for name, addresses in gateway.upstreams.items()),
        inside="\n".join(_INSIDE.format(name=name, listen=listen) for name, listen in gateway.inside.items()),
        locations="\n".join(
            location
            for one in SERVICES
            if one.name in gateway.upstreams
            for location in _locations(one, 10 * gateway.rate)
        ),
        problem_malformed=_problem(400, "http.malformed", "Malformed request", "what came is no HTTP request"),
        problem_nothing=_problem(404, "http.not_found", "No such path", "nothing is served at this path; see /docs"),
        problem_method=_problem(405, "http.method_not_allowed", "Method not allowed", "not with this method"),
        problem_too_large=_problem(
            413, "request.too_large", "Body too large", "the body is larger than 64 KiB, or an image than 8 MiB"
        ),
        problem_too_many=_problem(
            429, "http.too_many_requests", "Too many requests", "this client asks too often; wait a moment", later=True
        ),
        problem_away=_problem(
            503,
            "unavailable",
            "Unavailable",
            "a service does not answer, and whether it did what was asked is not known; try again",
            later=True,
        ),
    )


def replicas_in(told: Sequence[str]) -> dict[str, list[str]]:
    """Of `stock=host:port` and so on, by service. Raises `BadSetting`."""
    found: dict[str, list[str]] = {}
    for one in told:
        match = _REPLICA.fullmatch(one)
        if match is None or match[1] not in SERVICE_NAMES:
            raise BadSetting(f"--replica {one} names none; write it like stock=127.0.0.1:8002")
        found.setdefault(match[1], []).append(match[2])
    return found


def _upstream(name: str, addresses: Sequence[str]) -> str:
    return _UPSTREAM.format(name=name, servers="\n".join(_SERVER.format(address=one) for one in addresses))


def _locations(service: Service, burst: int) -> list[str]:
    """The first that fits is nginx's choice."""
    uploads = [_LOCATION.format(name=service.name, paths=path, burst=burst, body=_UPLOAD) for path in service.uploads]
    paths = "|".join(map(re.escape, service.paths))
    return [*uploads, _LOCATION.format(name=service.name, paths=paths, burst=burst, body="")]


def _problem(status: int, code: str, title: str, detail: str, *, later: bool = False) -> str:
    """As the services write theirs."""
    body = {
        "type": f"urn:ecshop:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": "$told_id",
    }
    retry = " add_header Retry-After 1 always;" if later else ""
    return (
        f"default_type application/problem+json; add_header X-Request-ID $told_id always;{retry}\n        {_SHARED}\n"
        f"            return {status} '{msgspec.json.encode(body).decode()}';"
    )
