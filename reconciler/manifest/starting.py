"""What `init` writes into a folder that has nothing yet. A test holds the manifest against the sandbox's example world."""

from __future__ import annotations

from pathlib import Path

SCHEMA = Path("schemas") / "manifest.schema.json"  # where editors find the JSON Schema, below the current folder

MANIFEST = """\
# yaml-language-server: $schema={schema}
# Who is in which organization, and who may do what in which workspace. Whoever a `members:` section does not list is removed.
version: 1

# teams:                       # use them wherever a person can be: `team/platform: member`
#   platform: [bob, carol]

# people:                      # for those whose name here is not their Pipes handle
#   dana: {{email: dana@example.com}}

orgs:
  acme:                        # the handle of the organization in Pipes
    members:                   # owner: may do everything in the organization; member: may only do what a workspace grants
      alice: owner
      bob: member
      carol: member
    workspaces:
      dev:
        members:               # reader: may query; operator: may also configure; owner: may also manage the workspace's members
          bob: operator
          carol: reader
"""

IGNORED = ".reconciler/\n"  # the journal and the sandbox: what must not be committed

EDITOR = """\
{{
  "yaml.schemas": {{
    "{schema}": ["orgs.yaml", "orgs/**/*.yaml", "orgs/**/*.yml"]
  }}
}}
"""


def manifest() -> str:
    """A commented manifest whose header names the JSON Schema."""
    return MANIFEST.format(schema=SCHEMA.as_posix())


def editor_settings() -> str:
    """The settings of Visual Studio Code that check the manifests of this folder against the JSON Schema."""
    return EDITOR.format(schema=f"./{SCHEMA.as_posix()}")
