"""An org's logo: planned by what the file holds, uploaded as a form, known again by the lock file, and from nowhere else."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sqlite3
import subprocess
from contextlib import closing

import pytest

from e2e.bench import TOKEN
from e2e.web import PICTURE, Web

ACME = "orgs: {acme: {members: {alice: owner}}}"
PNG = b"\x89PNG\r\n\x1a\n" + b"acme's own picture"
OTHER = b"\x89PNG\r\n\x1a\n" + b"another picture"
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 "
URL = "https://logo.example/acme.png"


def sha(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def acme(bench):
    bench.pipes(ACME)
    (bench.folder / "images").mkdir()
    write(bench, PNG)
    state(bench, "images/acme.png")
    return bench


def write(bench, data, name="images/acme.png"):
    (bench.folder / name).write_bytes(data)


def state(bench, logo):
    bench.manifest(f"orgs: {{acme: {{logo: {json.dumps(logo)}}}}}")


def uploaded(bench):
    """What Pipes has, None for the generated one."""
    with closing(sqlite3.connect(bench.db)) as db:
        return db.execute("SELECT image, media_type FROM avatar").fetchone()


def changes(bench, *args):
    return [change["change"] for change in bench.planned(*args).json["resource_changes"]]


def test_what_the_file_holds_is_uploaded_once_and_known_from_then_on(acme):
    planned = acme.planned()
    [change] = planned.json["resource_changes"]
    assert change["change"]["after"]["logo"] == f"images/acme.png#sha256={sha(PNG)}"
    assert [(r["method"], r["path"]) for r in change["requests"]] == [("POST", "/org/acme/avatar")]
    assert "cannot be known" in planned.json["notes"][0]
    assert uploaded(acme) is None
    assert acme.apply().status == 0
    assert uploaded(acme) == (PNG, "image/png")
    assert json.loads(acme.lock_text())["entries"]["org.acme"]["logo"] == f"sha256:{sha(PNG)}"
    again = acme.planned()
    assert (again.json["resource_changes"], again.json["notes"]) == ([], [])


def test_another_picture_under_the_same_name_is_a_change(acme):
    acme.apply()
    write(acme, WEBP)
    [change] = changes(acme)
    assert (change["before"]["logo"], change["after"]["logo"]) == (
        f"sha256:{sha(PNG)}",
        f"images/acme.png#sha256={sha(WEBP)}",
    )
    assert acme.apply().status == 0
    assert uploaded(acme) == (WEBP, "image/webp")
    assert changes(acme) == []


def test_the_same_picture_under_another_name_is_none(acme):
    acme.apply()
    write(acme, PNG, "images/renamed.png")
    state(acme, "images/renamed.png")
    assert changes(acme) == []


def test_null_goes_back_to_the_generated_one(acme):
    acme.apply()
    state(acme, None)
    [change] = acme.planned().json["resource_changes"]
    assert [(r["method"], r["path"]) for r in change["requests"]] == [("DELETE", "/org/acme/avatar")]
    assert acme.apply().status == 0
    assert uploaded(acme) is None
    assert changes(acme) == []


def test_null_where_the_generated_one_is_there_already_is_done_and_known(acme):
    state(acme, None)
    ran = acme.apply()
    assert ran.status == 0, ran.out
    assert changes(acme) == []


def test_a_logo_that_is_not_written_is_left_alone(acme):
    acme.apply()
    acme.manifest("orgs: {acme: {display_name: Acme}}")
    assert acme.apply().status == 0
    assert uploaded(acme) == (PNG, "image/png")
    state(acme, "images/acme.png")
    assert changes(acme) == [], "what is known of it is kept"


def test_a_new_org_gets_its_logo_right_away(acme):
    acme.manifest("orgs: {acme: {}, oak: {logo: images/acme.png, display_name: Oak, url: https://oak.example}}")
    assert acme.apply().status == 0
    assert uploaded(acme) == (PNG, "image/png")
    assert changes(acme) == []


def test_logo_and_attributes_of_one_org_are_one_step_without_contradiction(acme):
    acme.manifest("orgs: {acme: {logo: images/acme.png, display_name: Acme Corp, url: https://acme.example}}")
    assert acme.apply().status == 0
    assert acme.client().ok("GET", "/org/acme")["display_name"] == "Acme Corp"
    assert uploaded(acme) == (PNG, "image/png")


@pytest.mark.parametrize("form", ["text", "markdown", "html", "github", "junit"])
@pytest.mark.parametrize("logo", ["images/acme.png", "null"])
def test_a_report_for_people_names_what_the_manifest_sets_and_nothing_of_ours(acme, form, logo):
    """Two steps of one organization are told apart by what each sets; -v shows the requests."""
    acme.manifest("orgs: {acme: {logo: images/acme.png}}")
    assert acme.apply().status == 0
    write(acme, OTHER)
    acme.manifest(f"orgs: {{acme: {{logo: {logo}, token_min_issued_at: 2026-02-01T00:00:00Z}}}}")
    for ran in (acme.plan("-v", "--format", form), acme.apply("-v", "--format", form)):
        assert ran.status == 0
        assert "instead_of" not in ran.out
    if form == "text":
        assert "org.acme (logo)" in ran.out
        assert "org.acme (token_min_issued_at)" in ran.out


# --- what was reviewed ------------------------------------------------------------------------------------------------


def test_a_saved_plan_uploads_the_picture_that_was_reviewed_or_none(acme):
    acme.plan("-o", "saved.json")
    write(acme, OTHER)
    ran = acme.run("apply", *acme.local, "--auto-approve", "saved.json")
    assert (ran.status, uploaded(acme)) == (3, None)
    assert "differs from what was planned" in ran.out + ran.err
    write(acme, PNG)
    assert acme.run("apply", *acme.local, "--auto-approve", "saved.json").status == 0
    assert uploaded(acme) == (PNG, "image/png")


def test_the_bytes_stand_in_no_plan_and_no_journal(acme):
    acme.plan("-o", "saved.json")
    acme.apply()
    for path in ["saved.json", "reconciler.lock.json", ".reconciler/journal.jsonl"]:
        assert b"acme's own picture" not in (acme.folder / path).read_bytes()


def test_a_review_tells_another_picture_from_another_name(acme):
    def git(*args):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *args], check=True,
                       capture_output=True)  # fmt: skip

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    assert "logo" not in acme.run("review", "HEAD", "-v").out
    write(acme, OTHER)
    out = acme.run("review", "HEAD", "-v").out
    assert sha(PNG)[:8] in out
    assert sha(OTHER)[:8] in out
    git("commit", "-qam", "two")
    assert sha(PNG)[:8] in acme.run("review", "HEAD~1", "HEAD", "-v").out


# --- outside ----------------------------------------------------------------------------------------------------------


def test_a_logo_that_was_changed_outside_is_told_and_put_right(acme):
    acme.apply()
    assert acme.run("drift", *acme.local).status == 0
    acme.client().ok("POST", "/org/acme/avatar", files={"file": ("x.png", OTHER, "image/png")})
    ran = acme.run("drift", *acme.local)
    assert ran.status == 2
    assert "logo" in ran.out
    assert "changed outside" in acme.plan().out
    assert acme.apply().status == 0
    assert uploaded(acme) == (PNG, "image/png")
    assert acme.run("drift", *acme.local).status == 0


def test_what_nothing_is_known_of_is_no_drift(acme):
    ran = acme.run("drift", *acme.local)
    assert ran.status == 0
    assert "cannot be known" in ran.out


def test_what_becomes_of_the_logo_while_the_plan_is_applied_is_seen(acme):
    acme.apply()
    write(acme, OTHER)
    acme.plan("-o", "saved.json")
    acme.client().ok("POST", "/org/acme/avatar", files={"file": ("x.png", WEBP, "image/webp")})
    ran = acme.run("apply", *acme.local, "--auto-approve", "saved.json")
    assert (ran.status, uploaded(acme)) == (3, (WEBP, "image/webp"))


def test_an_import_leaves_the_logo_out_and_the_next_plan_shows_nothing(acme):
    acme.apply()
    (acme.folder / "orgs.yaml").unlink()
    assert acme.run("import", *acme.local, "acme", "--out", "new.yaml").status == 0
    assert "logo" not in (acme.folder / "new.yaml").read_text()
    assert acme.run("plan", *acme.local, "--detailed-exitcode", "new.yaml").status == 0


def test_no_patch_makes_a_logo_official_that_pipes_does_not_give_back(acme):
    acme.apply()
    acme.client().ok("POST", "/org/acme/avatar", files={"file": ("x.png", OTHER, "image/png")})
    ran = acme.run("drift", *acme.local, "--fix-up")
    assert "Pipes does not give it back" in ran.out + ran.err
    assert "avatar" not in ran.out.partition("---")[2]


def test_what_is_known_of_a_logo_goes_with_a_rename(acme):
    acme.apply()
    write(acme, OTHER)
    acme.manifest("orgs: {acme2: {renamed_from: acme, logo: images/acme.png}}")
    assert acme.apply().status == 0
    assert uploaded(acme) == (OTHER, "image/png")
    assert changes(acme) == []


def test_an_entry_of_the_lock_file_keeps_what_else_is_known_in_it(acme):
    acme.apply()
    path = acme.folder / "reconciler.lock.json"
    path.write_text(path.read_text().replace('"logo"', '"of_tomorrow": 1, "logo"'))
    write(acme, OTHER)
    acme.apply()
    entry = json.loads(acme.lock_text())["entries"]["org.acme"]
    assert (entry["of_tomorrow"], entry["logo"]) == (1, f"sha256:{sha(OTHER)}")


# --- lost answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "times", "status"),
    [("drop-before", 1, 0), ("status", 1, 0), ("drop-before", 9, 5)],
)
def test_a_lost_upload_is_sent_again_while_nothing_else_is_there(acme, fault, times, status):
    more = {"status": 503} if fault == "status" else {}
    with acme.served({"kind": fault, "method": "POST", "path": "/avatar$", "times": times, **more}):
        ran = acme.apply("--host", acme.host)
    assert ran.status == status or times > 1, ran.out
    assert (uploaded(acme) is not None) == (times == 1)
    assert acme.apply().status == 0
    assert uploaded(acme) == (PNG, "image/png")
    assert changes(acme) == []


def test_an_answer_that_was_lost_after_it_took_effect_is_not_guessed_and_the_next_apply_settles_it(acme):
    with acme.served({"kind": "drop-after", "method": "POST", "path": "/avatar$", "times": 1}):
        ran = acme.apply()
    assert ran.status != 0
    assert "is unclear" in ran.out
    assert len(changes(acme)) == 1
    assert acme.apply().status == 0
    assert (uploaded(acme), changes(acme)) == ((PNG, "image/png"), [])


def test_an_upload_that_was_in_flight_when_an_apply_was_killed_is_told_and_sent_again(acme):
    acme.apply()
    journal = acme.folder / ".reconciler/journal.jsonl"
    [intent] = [line for line in journal.read_text().splitlines() if '"intent"' in line]
    journal.write_text(intent + "\n")
    (acme.folder / "reconciler.lock.json").unlink()
    ran = acme.apply()
    assert ran.status == 0
    assert "whether Pipes took the logo cannot be known, and it is planned again" in ran.out + ran.err
    assert (uploaded(acme), changes(acme)) == ((PNG, "image/png"), [])


# --- hostile pictures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("logo", "said"),
    [
        ("../secret.png", "leads out of the manifest's folder"),
        ("images/../../secret.png", "leads out of the manifest's folder"),
        ("/etc/passwd", "leads out of the manifest's folder"),
        ("images\\acme.png", "leads out of the manifest's folder"),
        ("images/none.png", "there is no such file"),
        ("images", "not a regular file"),
        ("images/pipe", "not a regular file"),
        ("images/link.png", "leads out of the manifest's folder"),
        ("linked/secret.png", "leads out of the manifest's folder"),
        ("images/text.png", "not a picture that can be uploaded"),
        ("images/acme.svg", "not a picture that can be uploaded"),
        ("images/huge.png", "larger than 2 MiB"),
        ("images/acme.png#x", "takes no `#`"),
        ("http://logo.example/a.png", "fetched by https only"),
        ("file:///etc/passwd", "fetched by https only"),
        ("data:image/png;base64,AAAA", "fetched by https only"),
        ("https://user:pw@logo.example/a.png", "not a URL that a logo can be fetched from"),
        ("https:///a.png", "not a URL that a logo can be fetched from"),
        ("https://logo.example/a b.png", "not a URL that a logo can be fetched from"),
        ("https://logo.example/a.png#sha256=12", "not a pin"),
    ],
)
def test_what_is_no_picture_of_this_folder_is_refused_with_its_place(acme, logo, said):
    outside = acme.folder.parent / f"{acme.folder.name}-outside"
    outside.mkdir()
    (outside / "secret.png").write_bytes(PNG)
    (acme.folder / "images/link.png").symlink_to(outside / "secret.png")
    (acme.folder / "linked").symlink_to(outside)
    os.mkfifo(acme.folder / "images/pipe")
    write(acme, b"just a text", "images/text.png")
    write(acme, b"<svg xmlns='http://www.w3.org/2000/svg'/>", "images/acme.svg")
    write(acme, PNG + bytes(2 * 1024**2), "images/huge.png")
    acme.manifest(f"orgs: {{acme: {{logo: {json.dumps(logo)}}}}}", "here/orgs.yaml") if logo == "../x" else None
    state(acme, logo)
    ran = acme.run("validate")
    assert ran.status == 1
    assert said in ran.out + ran.err
    assert "orgs.yaml:2" in ran.out + ran.err


def test_a_path_begins_at_the_manifest_that_states_it(acme):
    (acme.folder / "orgs.yaml").unlink()
    (acme.folder / "deep/images").mkdir(parents=True)
    write(acme, OTHER, "deep/images/acme.png")
    acme.manifest("orgs: {acme: {logo: images/acme.png}}", "deep/orgs.yaml")
    assert acme.apply("deep").status == 0
    assert uploaded(acme) == (OTHER, "image/png")


def test_a_link_within_the_folder_is_followed(acme):
    (acme.folder / "images/logo.png").symlink_to("acme.png")
    state(acme, "images/logo.png")
    assert acme.apply().status == 0
    assert uploaded(acme) == (PNG, "image/png")


# --- URLs (tests/pipes/test_fetch.py has what they may lead to) ---------------------------------------------------------


def test_a_plan_says_what_will_be_fetched_and_fetches_nothing(acme):
    state(acme, URL)
    planned = acme.planned()
    assert planned.json["resource_changes"][0]["change"]["after"]["logo"] == URL
    assert any("nobody has reviewed the picture" in note for note in planned.json["notes"])
    state(acme, f"{URL}#sha256={sha(PNG)}")
    assert not any("nobody has reviewed" in note for note in acme.planned().json["notes"])


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/a.png", "https://[::1]/a.png", "https://169.254.169.254/latest", "https://10.0.0.1/a.png",
     "https://localhost/a.png", "https://[::ffff:127.0.0.1]/a.png", "https://0/a.png"],
)  # fmt: skip
def test_nothing_is_fetched_from_an_address_that_is_not_public(acme, url):
    state(acme, url)
    ran = acme.apply()
    assert ran.status == 1
    assert "not public" in ran.out
    assert uploaded(acme) is None


@pytest.fixture
def public(monkeypatch, tmp_path_factory):
    """A web server that stands on the internet, as far as name and connection go: `logo.example`, 93.184.216.34."""
    web = Web(tmp_path_factory.mktemp("web"))
    web.pages["/acme.png"] = (200, {"Content-Length": str(len(PICTURE))}, PICTURE)
    connect, look_up = socket.create_connection, socket.getaddrinfo

    def lookup(host, port, *args, **options):
        if host == "127.0.0.1":
            return look_up(host, port, *args, **options)
        assert host == "logo.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port))]

    def connected(address, *args, **options):
        assert address == ("93.184.216.34", 443)
        return connect(("127.0.0.1", web.port), *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(socket, "create_connection", connected)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", web.authority)
    yield web
    web.stop()


def test_a_picture_behind_a_url_is_fetched_once_and_uploaded(acme, public):
    state(acme, URL)
    assert len(changes(acme)) == 1
    assert public.asked == []
    assert acme.apply().status == 0
    assert uploaded(acme) == (PICTURE, "image/png")
    assert changes(acme) == []
    assert public.asked == [("logo.example", "/acme.png")]
    assert TOKEN not in str(public.headers)


def test_a_pinned_url_that_holds_another_picture_is_not_uploaded(acme, public):
    state(acme, f"{URL}#sha256={sha(PNG)}")
    ran = acme.apply()
    assert ran.status == 1
    assert "is not the picture that was planned" in ran.out
    assert uploaded(acme) is None
    state(acme, f"{URL}#sha256={sha(PICTURE)}")
    assert acme.apply().status == 0
    assert uploaded(acme) == (PICTURE, "image/png")


def test_a_pinned_picture_that_is_live_needs_no_fetching(acme):
    acme.apply()
    state(acme, f"{URL}#sha256={sha(PNG)}")
    assert changes(acme) == []
