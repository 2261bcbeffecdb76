def test_a_workspace_takes_grants_at_once_and_is_enabled_after_two_reads(sandboxes):
    alice = sandboxes().client()
    assert alice.ok("POST", "/org/acme/workspace", {"handle": "dev"})["state"] == "creating"
    assert alice.status("POST", "/org/acme/workspace/dev/member", {"handle": "bob", "role": "reader"}) == 201
    states = [alice.ok("GET", "/org/acme/workspace/dev")["state"] for _ in range(3)]
    assert states == ["enabling", "enabled", "enabled"]
