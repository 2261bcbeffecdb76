"""The judge itself, and that nothing of the contract is missing."""

from __future__ import annotations

import json

import pytest

from reconciler.sandbox.call import OPERATIONS
from sandbox import contract
from sandbox.contract import Checked, ContractError

pytestmark = contract.needs_contract


def test_every_operation_of_the_contract_is_there_and_no_other():
    asked = {(one.method, one.path, one.name) for one in contract.operations()}
    assert {(one.method, one.path, one.name) for one in OPERATIONS.values()} == asked
    assert len({path for _, path, _ in asked}) == 55


def test_bodies_take_exactly_the_fields_that_the_contract_names():
    for one in contract.operations():
        body = OPERATIONS[one.name].body
        if one.body is None:
            assert body is None, one.name
            continue
        assert body is not None, one.name
        assert set(body.schema["properties"]) == set(one.body_properties()), one.name


USER = {
    "id": "u_" + "0" * 20, "handle": "a", "created_at": "", "status": "accepted", "version_id": 1,
    "tenant_id": "t_" + "0" * 20, "type": "user",
}  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "request_body", "status", "answer", "finding"),
    [
        ("GET", "/actor", None, "200 OK", USER, ""),
        ("GET", "/actor", None, "200 OK", {**USER, "handle": None}, "handle: null is not"),
        ("GET", "/actor", None, "200 OK", {**USER, "id": "u_1"}, "does not match"),
        ("GET", "/actor", None, "200 OK", {**USER, "email": "a@example.com"}, "'email' was unexpected"),
        ("GET", "/actor", None, "200 OK", {}, "required property"),
        ("GET", "/actor", None, "204 No Content", None, "status 204"),
        ("GET", "/actor", None, "404 Not Found", {}, "status 404"),
        ("GET", "/actor?limit=1", None, "200 OK", USER, "limit is not in the contract"),
        ("GET", "/identity?limit=0", None, "200 OK", {"items": []}, "limit is '0'"),
        ("GET", "/identity", None, "429 Too Many Requests", {"title": "x"}, "required property"),
        ("DELETE", "/user/a", None, "204 No Content", None, ""),
        ("DELETE", "/user/a", None, "204 No Content", {}, "no content"),
        ("PATCH", "/user/a", {"url": 1}, "200 OK", USER, "url: 1 is not"),
        ("PATCH", "/user/a", {"shape": "x"}, "200 OK", USER, "shape is not in the contract"),
    ],
)
def test_the_judge_finds_what_breaks_the_contract(method, path, request_body, status, answer, finding):
    def app(_environ, start_response):
        start_response(status, [("Content-Type", "application/json")])
        return [] if answer is None else [json.dumps(answer).encode()]

    checked = Checked(app, strict=False)
    from adapter import SandboxAdapter
    from sandbox.client import Client

    client = Client("https://sandbox", "x", adapter=SandboxAdapter(checked))
    if not finding:
        client.send(method, path, request_body)
        assert checked.violations == []
    else:
        with pytest.raises(ContractError, match=finding):
            client.send(method, path, request_body)
    assert len(checked.seen) == 1
