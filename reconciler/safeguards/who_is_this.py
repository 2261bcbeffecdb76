"""who-is-this: nobody is invited, and no name is given an account, by a guess."""

from __future__ import annotations

from reconciler.safeguards.safeguard import Safeguard

PAGE = """\
**Refuses** to invite somebody by email while they may be there already. Pipes gives no emails back, so the lock file keeps the user
id that Pipes answered the invitation with. There is doubt if that id is gone, because the invitation expired, was declined or was
cancelled; and while the organization has somebody whom neither a manifest nor the lock file knows, and who has a pending invitation
or was let in by this token's own user.

It also refuses two names for one account in one organization, an account that the lock file gives to several people, and a lock
file's entry that does not say for which address it was made. `validate` reports two names offline if the lock file knows them.

**Why:** a guess would invite a person twice, or give a stranger the role.

**To fix:** if it is the same person, write the handle: `ivy: {email: ivy@example.com, handle: newcomer}`. If not, list `newcomer` as
well, or state `newcomer: {absent: true}`. An invitation that is gone is sent again if
[`reinvite` or `resend_after`](manifest.md#people) says so.
"""

SAFEGUARD = Safeguard("who-is-this", lifted_by_allow=False, page=PAGE, found_in="reconciler/plan/identity")
