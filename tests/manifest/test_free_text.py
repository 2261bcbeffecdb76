"""Secrets in texts outside of configurations: found in a manifest, and hidden where only Pipes has them."""

from __future__ import annotations

import json

import pytest

from e2e.conftest import bare, bench  # noqa: F401

FORMS = {
    "a token": "use ghp_abcdefghijklmnopqrstuvwxyz0123456789 for it",
    "a header": "Authorization: Bearer abcdefghijklmnop1234567890",
    "a URL with a password": "https://user:hunter2hunter2@example.com/x",
    "a connection string": "postgres://u:PWsecretPW@db.example/prod",
    "a webhook": "https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx",
    "a private key": "-----BEGIN PRIVATE KEY-----",
}
FIELDS = {
    "display_name": "orgs: {{acme: {{display_name: {0}, members: {{alice: owner}}}}}}",
    "url": "orgs: {{acme: {{url: {0}, members: {{alice: owner}}}}}}",
    "logo": "orgs: {{acme: {{logo: {0}, members: {{alice: owner}}}}}}",
    "a member's reason": "orgs: {{acme: {{members: {{alice: owner, bob: {{role: member, reason: {0}}}}}}}}}",
    "a deletion's reason": "orgs: {{acme: {{members: {{alice: owner}}, workspaces: {{prod: {{absent: true, reason: {0}}}}}}}}}",
    "a service account": "orgs: {{acme: {{members: {{alice: owner}}, service_accounts: {{ci: {{title: CI, description: {0}}}}}}}}}",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_what_looks_like_a_secret_is_an_error_that_does_not_show_it(bench, field, form):  # noqa: F811
    path = bench.manifest(field.format(json.dumps(form)))
    bench.hidden.add(form)
    bench.sources.add(path)
    for args in (("validate",), ("validate", "--format", "json"), ("validate", "--format", "github")):
        ran = bench.run(*args)
        assert ran.status == 1
        assert "may be a secret" in ran.out + ran.err


@pytest.mark.parametrize("text", ["Password=hunter2hunter2;Server=db", "api_key: 0123456789"])
def test_a_text_that_only_names_a_secret_is_a_warning(bench, text):  # noqa: F811
    path = bench.manifest(FIELDS["a member's reason"].format(json.dumps(text)))
    bench.hidden.add(text)
    bench.sources.add(path)
    ran = bench.run("validate")
    assert ran.status == 0
    assert "this text may hold a secret" in ran.out + ran.err


@pytest.mark.parametrize(
    "text", ["https://acme.example/x?y=z", "on call for INC-42", "Acme & Sons: accounts", "the token team", "x" * 300]
)
def test_an_ordinary_text_is_neither(bench, text):  # noqa: F811
    bench.manifest(FIELDS["a member's reason"].format(json.dumps(text)))
    ran = bench.run("validate")
    assert (ran.status, "secret" in ran.out + ran.err) == (0, False)


@pytest.mark.parametrize("form", [FORMS["a URL with a password"], FORMS["a webhook"]])
def test_one_that_only_pipes_has_is_shown_nowhere_and_not_imported(bench, form):  # noqa: F811
    bench.pipes({"orgs": {"acme": {"members": {"alice": "owner"}, "url": form}}})
    bench.hidden.add(form)
    bench.manifest("orgs: {acme: {url: 'https://acme.example', members: {alice: owner}}}")
    for format_ in ("text", "json", "markdown", "html", "github", "junit"):
        assert bench.plan("--format", format_).status == 0
        assert "(sensitive)" in bench.run("drift", *bench.local, "--format", format_).out
    ran = bench.run("import", "acme", *bench.local, "--out", "new/acme.yaml")
    assert ran.status == 0
    assert "url of acme is not written and not managed" in ran.err
