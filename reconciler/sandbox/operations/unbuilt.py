"""What the contract has and the sandbox does not (yet): answered 501, so that nothing looks done that is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.sandbox.call import operation
from reconciler.sandbox.problems import Problem

if TYPE_CHECKING:
    from reconciler.sandbox.call import Call, Reply

_CONNECTION = "/org/{org_handle}/connection"
_FOLDER = "/org/{org_handle}/connection_folder"
_WORKSPACE = "/org/{org_handle}/workspace/{workspace_handle}"

_UNBUILT = {
    _CONNECTION: {"GET": "orgConnection_list", "POST": "orgConnection_create"},
    _CONNECTION + "/{connection_handle}": {
        "GET": "orgConnection_get",
        "PATCH": "orgConnection_update",
        "DELETE": "orgConnection_delete",
    },
    _CONNECTION + "/{connection_handle}/permission": {
        "GET": "orgConnection_listPermission",
        "POST": "orgConnection_createPermission",
    },
    _CONNECTION + "/{connection_handle}/permission/{permission_id}": {
        "GET": "orgConnection_getPermission",
        "PATCH": "orgConnection_updatePermission",
        "DELETE": "orgConnection_deletePermission",
    },
    _CONNECTION + "/{connection_handle}/test": {"POST": "orgConnection_test"},
    _CONNECTION + "/{connection_handle}/workspace": {"GET": "orgConnection_listWorkspaces"},
    _FOLDER: {"GET": "orgConnectionFolder_list", "POST": "orgConnectionFolder_create"},
    _FOLDER + "/{folder_id}": {
        "GET": "orgConnectionFolder_get",
        "PATCH": "orgConnectionFolder_update",
        "DELETE": "orgConnectionFolder_delete",
    },
    _FOLDER + "/{folder_id}/permission": {
        "GET": "orgConnectionFolder_listPermission",
        "POST": "orgConnectionFolder_createPermission",
    },
    _FOLDER + "/{folder_id}/permission/{permission_id}": {
        "GET": "orgConnectionFolder_getPermission",
        "PATCH": "orgConnectionFolder_updatePermission",
        "DELETE": "orgConnectionFolder_deletePermission",
    },
    _FOLDER + "/{folder_id}/workspace": {"GET": "orgConnectionFolder_listWorkspaces"},
    "/org/{org_handle}/process": {"GET": "orgProcess_list"},
    "/org/{org_handle}/process/{process_id}": {"GET": "orgProcess_get"},
    _WORKSPACE + "/connection": {"GET": "orgWorkspaceConnection_list", "POST": "orgWorkspaceConnection_create"},
    _WORKSPACE + "/connection/{connection_handle}": {
        "GET": "orgWorkspaceConnection_get",
        "PATCH": "orgWorkspaceConnection_update",
        "DELETE": "orgWorkspaceConnection_delete",
    },
    _WORKSPACE + "/schema": {"GET": "orgWorkspaceSchema_list", "POST": "orgWorkspaceSchema_attach"},
    _WORKSPACE + "/schema/{schema_name}": {
        "GET": "orgWorkspaceSchema_get",
        "DELETE": "orgWorkspaceSchema_detach",
    },
}


def _not_built(call: Call) -> Reply:
    raise Problem(501, f"{call.name} is not built in the sandbox")


for _path, _methods in _UNBUILT.items():
    for _method, _name in _methods.items():
        operation(_method, _path, _name, writes=False)(_not_built)
