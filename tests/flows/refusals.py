"""How the shop says no."""

from __future__ import annotations

import httpx


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    told = f"{answer.request.method} {answer.request.url.path} -> {answer.text}"
    assert answer.status_code == status, told
    assert answer.headers["content-type"] == "application/problem+json", told
    problem = answer.json()
    assert problem.keys() >= {"type", "title", "status", "detail", "code", "request_id"}
    assert (problem["status"], problem["code"]) == (status, code), told
    assert problem["type"] == f"urn:ecshop:problem:{code}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"]


def assert_unauthenticated(answer: httpx.Response) -> None:
    assert_refused(answer, 401, "auth.unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
