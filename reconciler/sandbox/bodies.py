"""What request bodies may hold, as JSON Schemas (contract: the schemas Create…Request, Update…Request, Invite…Request).

Stricter than the contract where its text or the API's behaviour is:
- unknown fields are refused, and roles are the known ones;
- `desired_state: paused` is refused: the contract calls it "not yet supported for Workspace".

Looser where its formats contradict what clients send:
- `handle` in member requests may be a handle, where the format asks for an id;
- a folder's title is any text, where the format asks for a handle (observed);
- what is attached may have an underscore in its handle or id.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import jsonschema_rs
import msgspec

from reconciler.sandbox.problems import Problem

Schema = dict[str, Any]

HANDLE = r"^[a-z0-9]{1,2}(?:[a-z0-9]{1,2}|-[a-z0-9]){0,18}[a-z0-9]?$"
"""Of an org, a user or a tenant (contract: CreateOrgRequest.handle)."""
WORKSPACE_HANDLE = r"^[a-z0-9]{1,23}$"
"""Contract: CreateWorkspaceRequest.handle."""
CONNECTION_HANDLE = r"^[a-z](?:[a-z0-9]|_(?=[a-z0-9])){0,38}$"
"""Contract: CreateConnectionRequest.handle."""

ORG_ROLES = ("owner", "member")
TENANT_ROLES = ("owner", "member")
WORKSPACE_ROLES = ("reader", "operator", "admin", "owner")
"""`admin` is the older name that the Terraform provider's page still gives."""

MAX_EXPIRATION = 100 * 365 * 86400
"""Seconds that a token may be asked to last; the contract gives no bound."""

_TEXT: Schema = {"type": "string"}
_HANDLE: Schema = {"type": "string", "pattern": HANDLE}
_WORKSPACE_HANDLE: Schema = {"type": "string", "pattern": WORKSPACE_HANDLE}
_CONNECTION_HANDLE: Schema = {"type": "string", "pattern": CONNECTION_HANDLE}
_OBJECT: Schema = {"type": "object"}
_SOMETHING: Schema = {"type": "string", "minLength": 1}
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL: Schema = {
    "type": "string",
    "pattern": rf"^{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+$",
    "maxLength": 254,
}
_INT64: Schema = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
_VOLUME: Schema = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
_ACTION: Schema = {"type": "string", "enum": ["warn", "cap_and_warn"]}
_ORG_ROLE: Schema = {"type": "string", "enum": list(ORG_ROLES)}
_TENANT_ROLE: Schema = {"type": "string", "enum": list(TENANT_ROLES)}
_WORKSPACE_ROLE: Schema = {"type": "string", "enum": list(WORKSPACE_ROLES)}
_INSTANCE_TYPE: Schema = {"type": "string", "enum": ["db1.shared", "db1.small", "db1.medium"]}
_DESIRED_STATE: Schema = {"type": "string", "enum": ["enabled", "disabled"]}
_USAGE = {
    "usage_compute_action": _ACTION,
    "usage_compute_threshold": _INT64,
    "usage_storage_action": _ACTION,
    "usage_storage_threshold": _INT64,
}
_USER_USAGE = {"usage_user_action": _ACTION, "usage_user_threshold": _INT64}


class Body:
    """A checked kind of body: call it with the bytes of a request."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(self.schema)  # when it is first used: most runs only read

    def read(self, raw: bytes, content_type: str | None) -> dict[str, Any]:
        """The decoded body. Raises Problem (400) that names everything wrong with it."""
        if content_type and content_type.split(";")[0].strip().lower() != "application/json":
            raise _refused([("header.Content-Type", f"must be application/json, not {content_type}")])
        if not raw:
            raise _refused([("body", "is missing")])
        try:
            value = msgspec.json.decode(raw)
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            raise _refused([("body", f"is not JSON: {error}")]) from error
        errors = sorted(
            (".".join(["body", *map(str, error.instance_path)]), str(error.message))
            for error in self._validator.iter_errors(value)
        )
        if errors:
            raise _refused(errors)
        return {key: _integer(item) for key, item in value.items()}


def _integer(value: Any) -> Any:
    # JSON Schema takes 1.0 for an integer, and so do we; it is stored as one.
    return int(value) if isinstance(value, float) else value


def _refused(errors: list[tuple[str, str]]) -> Problem:
    return Problem(400, "; ".join(f"{location}: {message}" for location, message in errors), errors)


def _body(required: tuple[str, ...] = (), /, **properties: Schema) -> Body:
    return Body({"type": "object", "properties": properties, "required": list(required), "additionalProperties": False})


CREATE_ORG = _body(("handle",), handle=_HANDLE, display_name=_TEXT, url=_TEXT, plan_id=_TEXT)
UPDATE_ORG = _body(handle=_HANDLE, display_name=_TEXT, url=_TEXT, token_min_issued_at=_TEXT, **_USAGE, **_USER_USAGE)
CREATE_ORG_USER = _body(("handle", "role"), handle=_SOMETHING, role=_ORG_ROLE)
INVITE_ORG_USER = _body(("role",), email=_EMAIL, handle=_SOMETHING, role=_ORG_ROLE)
UPDATE_ORG_USER = _body(("role",), role=_ORG_ROLE)
CREATE_WORKSPACE = _body(
    ("handle",),
    handle=_WORKSPACE_HANDLE,
    instance_type=_INSTANCE_TYPE,
    desired_state=_DESIRED_STATE,
    db_volume_size_bytes=_VOLUME,
)
UPDATE_WORKSPACE = _body(
    handle=_WORKSPACE_HANDLE,
    instance_type=_INSTANCE_TYPE,
    desired_state=_DESIRED_STATE,
    db_volume_size_bytes=_VOLUME,
    search_path_prefix={"type": "array", "items": _TEXT},
)
CREATE_WORKSPACE_USER = _body(("handle", "role"), handle=_SOMETHING, role=_WORKSPACE_ROLE)
UPDATE_WORKSPACE_USER = _body(("role",), role=_WORKSPACE_ROLE)
CREATE_CONNECTION = _body(
    ("handle", "plugin"), handle=_CONNECTION_HANDLE, plugin=_SOMETHING, config=_OBJECT, parent_id=_TEXT
)
UPDATE_CONNECTION = _body(
    handle=_CONNECTION_HANDLE,
    config=_OBJECT,
    parent_id=_TEXT,
    config_source={"type": "string", "enum": ["self", "inherited"]},
    credential_source={"type": "string", "enum": ["self", "inherited", "temporary"]},
)
TEST_CONNECTION = _body(("plugin",), plugin=_SOMETHING, config=_OBJECT)
CREATE_CONNECTION_FOLDER = _body(("title",), title=_SOMETHING, parent_id=_TEXT)
UPDATE_CONNECTION_FOLDER = _body(title=_SOMETHING, parent_id=_TEXT)
PERMISSION = _body(identity_handle=_TEXT, tenant_handle=_TEXT, workspace_handle=_TEXT)
"""For creating and for changing one: the contract has the same fields for both."""
ATTACH_SCHEMA = _body(aggregator_handle=_TEXT, connection_folder=_TEXT, connection_handle=_TEXT)
CREATE_TENANT = _body(("handle",), handle=_HANDLE, display_name=_TEXT, plan_id=_TEXT)
UPDATE_TENANT = _body(handle=_HANDLE, display_name=_TEXT, token_min_issued_at=_TEXT, **_USAGE, **_USER_USAGE)
INVITE_TENANT_USER = _body(("email", "role"), email=_EMAIL, role=_TENANT_ROLE)
UPDATE_TENANT_USER = _body(role=_TENANT_ROLE)
UPDATE_USER = _body(handle=_HANDLE, display_name=_TEXT, url=_TEXT, token_min_issued_at=_TEXT, **_USAGE)
UPDATE_TOKEN = _body(
    ("status",), status={"type": "string", "enum": ["active", "inactive"]}, title=_TEXT, description=_TEXT
)
CREATE_TOKEN = _body(
    title=_TEXT, description=_TEXT, expiration={"type": "integer", "minimum": 0, "maximum": MAX_EXPIRATION}
)
CREATE_SERVICE_ACCOUNT = _body(title=_TEXT, description=_TEXT)
UPDATE_SERVICE_ACCOUNT = _body(title=_TEXT, description=_TEXT, token_min_issued_at=_TEXT)
