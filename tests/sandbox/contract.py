"""The contract as a judge: every request that a WSGI app takes and every answer it gives, checked against it.

The contract is read from `../shared/pipes-api` beside the repository, at test time, and patched in memory only. Other
suites wrap their app in `contract_checking`, which does nothing where the contract is missing.

What the contract does not say, and the sandbox does:
- 404 for an object of the path that is not there, also where only 403 is documented (DELETE of an org, of a grant);
- 409 for a rename to a taken handle (documented for creating only);
- 412 for an If-Match that does not hold (the contract asks for the header and documents no status);
- 502 to 504, which come from between client and API;
- `deleted_by_id`, required everywhere, is empty while nothing was deleted;
- `handle` in member requests is a handle, where the contract's format asks for an id;
- what is attached is named by a connection's handle or a folder's id, where the contract's format admits no underscore;
- a folder's title is any text (observed), and so is the name of a folder's schema;
- the answer to userToken_create carries the secret as `token`.
"""

from __future__ import annotations

import copy
import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import jsonschema_rs
import msgspec
import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from wsgiref.types import WSGIApplication

PATH = Path(__file__).resolve().parents[3] / "shared" / "pipes-api" / "openapi-subset.yaml"
BASE = "/api/v0"
FREE_TEXTS = {
    "CreateConnectionFolderRequest": ["title"],
    "UpdateConnectionFolderRequest": ["title"],
    "WorkspaceSchema": ["name"],
}
HANDLE_BODIES = {"CreateOrgUserRequest", "InviteOrgUserRequest", "CreateOrgWorkspaceUserRequest"}

needs_contract = pytest.mark.skipif(not PATH.is_file(), reason=f"the contract is not at {PATH}")


@functools.cache
def load() -> dict[str, Any]:
    """The contract with the patches that make its schemas say what they mean. Not to be changed by callers."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    contract = yaml.load(PATH.read_text(encoding="utf-8"), Loader=loader)
    for name, schema in contract["components"]["schemas"].items():
        _patch(schema)
        if name in HANDLE_BODIES:
            schema["properties"]["handle"].pop("pattern", None)
        if name == "AttachWorkspaceSchemaRequest":
            for value in schema["properties"].values():
                value.pop("pattern", None)
        for key in FREE_TEXTS.get(name, ()):
            schema["properties"][key].pop("pattern", None)
    return contract


def _patch(schema: Any) -> None:
    if isinstance(schema, list):
        for item in schema:
            _patch(item)
        return
    if not isinstance(schema, dict):
        return
    if "allOf" in schema:
        # `type: object` beside an allOf of an enum of strings: no value could satisfy both.
        schema.pop("type", None)
    format_ = schema.get("format")
    if schema.get("type") == "string" and isinstance(format_, str) and format_ not in ("email", "date-time"):
        schema["pattern"] = format_ if format_.startswith("^") else f"^({format_})$"
        del schema["format"]
    properties = schema.get("properties")
    if isinstance(properties, dict):
        for key, value in properties.items():
            _patch(value)
            if key == "deleted_by_id":
                value["pattern"] = f"^$|{value['pattern']}"
    for key, value in schema.items():
        if key != "properties":
            _patch(value)


@functools.cache
def _closed() -> dict[str, Any]:
    """The schemas of answers: nothing in them that the contract does not name."""
    schemas = copy.deepcopy(load()["components"]["schemas"])
    for schema in schemas.values():
        if schema.get("properties"):
            schema["additionalProperties"] = False
    return schemas


def _validator(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    return jsonschema_rs.Draft4Validator({**schema, "components": {"schemas": schemas}})


class Operation:
    """One operation: what it takes and what it answers."""

    def __init__(self, path: str, method: str, given: dict[str, Any]) -> None:
        self.name = given["operationId"]
        self.method = method
        self.path = path
        pattern = re.sub(r"\\{[^}]*\\}", "([^/]+)", re.escape(path))
        self.pattern = re.compile(pattern)
        self.parameters = [one for one in given.get("parameters", []) if one["in"] == "query"]
        self.responses = {int(status): _content(response, _closed()) for status, response in given["responses"].items()}
        body = given.get("requestBody", {})
        self.body = _content(body, load()["components"]["schemas"])
        self.multipart = "multipart/form-data" in body.get("content", {})

    def may_answer(self, status: int) -> bool:
        if status in self.responses or status in (502, 503, 504):
            return True
        if status == 404:
            return "{" in self.path
        if status == 409:
            return self.method == "PATCH"
        return status == 412 and self.method in ("PATCH", "DELETE", "POST")

    def request_errors(self, query: str, raw: bytes) -> list[str]:
        errors = []
        given = dict(parse_qsl(query, keep_blank_values=True))
        for parameter in self.parameters:
            name, schema = parameter["name"], parameter["schema"]
            if name not in given:
                if parameter.get("required"):
                    errors.append(f"query parameter {name} is missing")
                continue
            if schema["type"] == "integer":
                number = int(given[name]) if re.fullmatch(r"-?\d+", given[name]) else None
                if number is None or not schema.get("minimum", number) <= number <= schema.get("maximum", number):
                    errors.append(f"query parameter {name} is {given[name]!r}")
        known = {parameter["name"] for parameter in self.parameters}
        errors.extend(f"query parameter {name} is not in the contract" for name in given if name not in known)
        if self.body is not None:
            errors.extend(_errors(self.body, raw))
            body = _decoded(raw)
            properties = self.body_properties()
            if isinstance(body, dict):
                errors.extend(f"body field {key} is not in the contract" for key in body if key not in properties)
        elif raw and not self.multipart:
            errors.append("a body where the contract has none")
        return errors

    def body_properties(self) -> dict[str, Any]:
        given = load()["paths"][self.path][self.method.lower()]["requestBody"]["content"]["application/json"]["schema"]
        return load()["components"]["schemas"][given["$ref"].rsplit("/", 1)[1]]["properties"]

    def response_errors(self, status: int, content_type: str, raw: bytes) -> list[str]:
        if not self.may_answer(status):
            return [f"the status {status} is not in the contract"]
        if status >= 400:
            validator = _validator({"$ref": "#/components/schemas/ErrorModel"}, _closed())
        else:
            validator = self.responses[status]
        if validator is None:
            return [f"{len(raw)} bytes where the contract has no content"] if raw else []
        if content_type.split(";", maxsplit=1)[0] != "application/json":
            return [f"the content is {content_type or 'untyped'}, not application/json"]
        if self.name == "userToken_create" and status == 201:
            body = msgspec.json.decode(raw)
            body.pop("token")
            raw = msgspec.json.encode(body)
        return _errors(validator, raw)


def _content(given: dict[str, Any], schemas: dict[str, Any]) -> Any:
    schema = given.get("content", {}).get("application/json", {}).get("schema")
    return None if schema is None else _validator(schema, schemas)


def _decoded(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None


def _errors(validator: Any, raw: bytes) -> list[str]:
    try:
        value = msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        return [f"no JSON: {error}"]
    return [f"{'.'.join(map(str, error.instance_path))}: {error.message}" for error in validator.iter_errors(value)]


@functools.cache
def operations() -> tuple[Operation, ...]:
    return tuple(
        Operation(path, method.upper(), given)
        for path, methods in sorted(load()["paths"].items(), key=lambda pair: pair[0].count("{"))
        for method, given in methods.items()
    )


def find(method: str, path: str) -> Operation | None:
    """The operation of a request, its path below `/api/v0`; paths without parameters win over those with."""
    for operation in operations():
        if operation.method == method and operation.pattern.fullmatch(path):
            return operation
    return None


class ContractError(AssertionError):
    """An answer, or a request that was taken, that the contract does not know."""


class Checked:
    """The app in front of its judge. `violations` lists all that was found, `seen` how often each operation was asked."""

    def __init__(self, app: WSGIApplication, *, strict: bool) -> None:
        self.app = app
        self.strict = strict
        self.violations: list[str] = []
        self.seen: dict[str, int] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        import io

        path = environ.get("PATH_INFO", "").removeprefix(BASE)
        operation = find(environ["REQUEST_METHOD"], path)
        if operation is None:
            return self.app(environ, start_response)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        raw = environ["wsgi.input"].read(length) if length else b""
        environ["wsgi.input"] = io.BytesIO(raw)
        answer: list[Any] = []

        def started(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            answer[:] = [line, headers]
            return start_response(line, headers, exc_info)

        return self._judged(operation, environ, raw, answer, self.app(environ, started))

    def _judged(
        self, operation: Operation, environ: dict[str, Any], raw: bytes, answer: list[Any], chunks: Any
    ) -> Iterator[bytes]:
        body = b""
        for chunk in chunks:
            body += chunk
            yield chunk
        if environ.get("sandbox.fault"):
            return
        status = int(answer[0].split(" ", 1)[0])
        headers = {name.lower(): value for name, value in answer[1]}
        self.seen[operation.name] = self.seen.get(operation.name, 0) + 1
        errors = [
            f"answer: {error}" for error in operation.response_errors(status, headers.get("content-type", ""), body)
        ]
        if self.strict or status < 400:
            errors.extend(f"request: {e}" for e in operation.request_errors(environ.get("QUERY_STRING", ""), raw))
        if errors:
            found = [f"{operation.name} ({status}): {error}" for error in errors]
            self.violations.extend(found)
            raise ContractError("\n".join(found))


def contract_checking(app: WSGIApplication, *, strict: bool = False) -> WSGIApplication:
    """The app, checked: whatever breaks the contract raises ContractError through the in-process transport.

    `strict` also judges requests that were refused; for the suites of a client, which has no business sending any.
    Gives the app unchanged where the contract is missing.
    """
    return Checked(app, strict=strict) if PATH.is_file() else app
