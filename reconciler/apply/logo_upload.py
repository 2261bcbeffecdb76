"""A logo: its bytes, read or fetched just before they are sent and only what was reviewed, and the step that sends them."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.apply.errors import StepFailed
from reconciler.apply.sending import CONFLICT, TRIES, Progress, give_up, is_unclear, pause, refused_by_pipes, send
from reconciler.kinds import KINDS, logo
from reconciler.model.live import LockEntry
from reconciler.model.request import Request
from reconciler.pipes import fetch, reading
from reconciler.pipes.client import Upload

if TYPE_CHECKING:
    from reconciler.apply.state import Run
    from reconciler.model.plan import Change, Step


def upload(reference: str, folder: str) -> Upload:
    """What to send for a logo. Raises StepFailed where it is not available, not a picture, or not the one in the plan."""
    source, pin = logo.split(reference)
    try:
        data = fetch.fetch(source, logo.MAX_BYTES) if logo.is_url(source) else _read(Path(folder) / source)
    except fetch.FetchError as error:
        raise StepFailed(f"the logo cannot be fetched: {error}") from None
    except OSError as error:
        raise StepFailed(f"the logo {source} cannot be read: {error.strerror or error}") from None
    if len(data) > logo.MAX_BYTES:
        raise StepFailed(f"the logo {source} is larger than {logo.MAX_BYTES // 1024**2} MiB")
    found = hashlib.sha256(data).hexdigest()
    if pin is not None and found != pin:
        raise StepFailed(f"the logo {source} is not the picture that was planned: its SHA-256 is {found}, not {pin}")
    media_type = logo.media_type(data)
    if media_type is None:
        raise StepFailed(f"what {source} holds is not a PNG, JPEG, GIF or WebP, by its first bytes")
    return Upload("avatar", f"logo.{media_type.partition('/')[2]}", media_type, data)


def _read(path: Path) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):
        raise StepFailed(f"the logo {path.name} is not a regular file")
    with path.open("rb") as file:
        return file.read(logo.MAX_BYTES + 1)


def perform_logo(run: Run, step: Step, change: Change, request: Request, progress: Progress) -> None:
    """Upload an org's logo, or go back to the generated one (org_createAvatar, org_deleteAvatar).

    Either can be done twice: the same picture is the same. So what was lost is sent again, unless somebody else may have
    put another picture there. What Pipes answers goes into the lock file: nothing else shows the next plan what is live.
    """
    body = request.body or {}
    reference, before = body.get(logo.MARK), body.get(logo.REPLACES)
    picture = upload(reference, run.folders.get(step.address, "")) if reference is not None else None
    org_path, org_id, attempt = request.path.rpartition("/")[0], change.id, 1

    def ready() -> Request:
        nonlocal before, org_id
        now = reading.read_again(run.client, KINDS[change.kind], org_path)
        if now is None:
            raise StepFailed("the organization is not there any more; plan again")
        if org_id not in (None, now.id):
            raise StepFailed(f"another object has this handle now ({now.id}, planned for {org_id}); plan again")
        url = now.attrs.get(logo.URL)
        if org_id is None:
            before = url  # made by this apply: nobody has seen an earlier one
        org_id = now.id
        if url != before:
            raise StepFailed(
                "the logo was changed by somebody else since it was read; it is left as they made it, plan again"
                if attempt == 1
                else "no answer came, and the logo is another one now: whether it is ours is unclear; plan again",
                wrote=attempt > 1,
            )
        return Request(request.method, request.path, body, now.version)

    answer = None
    for attempt in range(1, TRIES + 1):
        answer = send(run, step, ready(), progress, upload=picture, again=ready)
        if answer is not None and (answer.ok or (answer.status == 404 and reference is None)):
            new = (answer.body or {}).get(logo.URL) if answer.ok else before
            more = {logo.MARK: logo.mark(reference), logo.URL: new} if isinstance(new, str) else {}
            with run.mutex:
                run.learned[step.address] = LockEntry(str(org_id), more=more)
            return
        if answer is not None and not is_unclear(answer):
            by_others = "the organization was changed by somebody else at this moment; plan again. "
            raise refused_by_pipes(answer, by_others if answer.status in CONFLICT else "")
        pause(run, attempt, answer)
    give_up(progress, answer)
