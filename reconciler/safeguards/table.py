"""All safeguards by code, in the order of the docs and of the checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.safeguards import (
    connection_delete,
    empty_read,
    handle_taken,
    host_pinned,
    lock_forged,
    looks_like_rename,
    mass_removal,
    org_delete,
    owner_floor,
    owner_removal,
    policy,
    quota,
    rename,
    secret_loss,
    self_lockout,
    self_removal,
    service_account_delete,
    service_account_owner,
    stale_plan,
    unknown_user,
    who_is_this,
    workspace_delete,
)

if TYPE_CHECKING:
    from reconciler.safeguards.safeguard import Safeguard

SAFEGUARDS: dict[str, Safeguard] = {
    module.SAFEGUARD.code: module.SAFEGUARD
    for module in (
        owner_floor,
        owner_removal,
        self_removal,
        mass_removal,
        org_delete,
        workspace_delete,
        connection_delete,
        service_account_delete,
        service_account_owner,
        secret_loss,
        rename,
        handle_taken,
        looks_like_rename,
        unknown_user,
        empty_read,
        who_is_this,
        lock_forged,
        host_pinned,
        policy,
        stale_plan,
        self_lockout,
        quota,
    )
}
