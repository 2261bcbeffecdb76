"""A pull request in which everything happens at once."""

DAY = "2026-11-24"
BASE = """\
version: 1
people:
  carol: {email: carol@example.com}
  dave: {handle: dave-acme}
teams:
  platform: [alice, bob]
  sre: [team/platform, carol]
orgs:
  acme-inc:
    display_name: Acme
    members: {alice: owner, frank: owner, team/sre: member}
    workspaces:
      prod: {members: {team/sre: operator}}
      dev: {members: {team/platform: admin}}
  beta:
    members: {zoe: owner, team/sre: member}
    workspaces:
      data: {members: {team/sre: reader}}
      scratch: {}
  gamma: {members: {zoe: owner}}
"""
HEAD = """\
version: 1
safeguards: {min_owners: 2}
people:
  carol: {email: carol@example.com}
  dave: {handle: dave-acme}
teams:
  platform: [alice, dave]
  sre: [team/platform, carol]
orgs:
  acme:
    renamed_from: acme-inc
    display_name: Acme Corp
    token_min_issued_at: 2026-11-01T00:00:00Z
    members:
      alice: owner
      bob: {role: owner, expires: 2027-01-31, reason: on call}
      frank: {absent: true}
      team/sre: member
    workspaces:
      prod: {members: {team/sre: operator}}
      dev: {members: {team/platform: admin}}
  beta:
    members: {zoe: owner, team/sre: member}
    workspaces:
      data: {members: {team/sre: reader, alice: {role: operator, expires: 2026-12-01, then: reader, reason: "<b>@all</b>"}}}
      scratch: {absent: true}
  delta: {members: {zoe: owner, carol: owner}}
"""
