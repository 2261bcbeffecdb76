# Rules over a saved plan (`reconciler plan -o plan.json`), for opa or conftest:
#
#   conftest test --policy examples/policies/plan.rego plan.json
package main

import rego.v1

deny contains msg if {
	some change in input.resource_changes
	change.type in {"org", "workspace", "connection"}
	"delete" in change.change.actions
	msg := sprintf("%s would be deleted: do this by hand", [change.address])
}

deny contains msg if {
	input.risk in {"owners", "destroys"}
	input.day in data.freeze
	msg := sprintf("%s is a day without changes of owners: the risk is %s", [input.day, input.risk])
}
