# Rules over `reconciler access --format json`, for opa or conftest:
#
#   reconciler access --format json | conftest test --policy examples/policies/access.rego -
#
# The first rule is the policy `prod-is-sre` of docs/policies.md; the tests hold the two together.
package main

import rego.v1

is_prod(place) if {
	parts := split(place, "/")
	count(parts) == 2
	parts[1] == "prod"
}

deny contains msg if {
	some reach in input.access
	is_prod(reach.object)
	reach.role in {"operator", "owner"}
	reach.why != "implicit as owner"
	not reach.person in input.teams.sre
	msg := sprintf("%s is %s on %s (%s), but only team/sre and owners may be", [reach.person, reach.role, reach.object, reach.why])
}

# What the built-in rules do not say: whoever owns an org must be a person who was seen this year.
warn contains msg if {
	some reach in input.access
	reach.role == "owner"
	not contains(reach.object, "/")
	reach.last_activity_at != null
	not startswith(reach.last_activity_at, substring(input.day, 0, 4))
	msg := sprintf("%s owns %s, and was last active at %s", [reach.person, reach.object, reach.last_activity_at])
}
