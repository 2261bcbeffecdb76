"""From what is live, or from Terraform's state, to manifests.

In: a Snapshot or a state file. Out: the manifests' text, for new files and for those that are there.
Open `write.py` first; `terraform_state.py` reads a state, `hidden_secrets.py` covers what Pipes does not show.
"""
