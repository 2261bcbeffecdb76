"""JUnit XML, so that CI shows refusals, errors and failed steps as failed tests.

There is no standard. This uses only what the common readers share (testsuites, testsuite, testcase with failure, error
or skipped, system-out), as described in "testmoapp/junitxml".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.expiring import until
from reconciler.model.result import Result
from reconciler.report import Validation, text, wording
from reconciler.report.escaping import show_hidden

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

    from reconciler.model.diagnostic import Diagnostic
    from reconciler.model.made import Made
    from reconciler.model.plan import Plan
    from reconciler.model.policy import Verdict


def escape(raw: str) -> str:
    """`raw` with the characters that XML 1.0 forbids replaced by visible escapes; ElementTree escapes the markup."""
    return show_hidden(raw)


def render(subject: Plan | Result | Validation, made: Made | None = None) -> str:
    """One test suite.

    A plan has a test case for each org with its changes, and a failing one for each refusal and error. A result has a
    test case for each step, a validation a failing one for each error. The last test case is the summary.
    """
    import xml.etree.ElementTree as ET

    cases = _Cases()
    if isinstance(subject, Validation):
        _validation(cases, subject)
    elif isinstance(subject, Result):
        _result(cases, subject)
    else:
        _plan(cases, subject)
    root = ET.Element("testsuites", {"name": "reconciler", **cases.counts()})
    suite = ET.SubElement(root, "testsuite", {"name": cases.name, **cases.counts()})
    add_properties(suite, made)
    suite.extend(cases.elements)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def add_properties(suite: Element, made: Made | None) -> None:
    """Say where the report comes from: JUnit has properties of a suite for that."""
    import xml.etree.ElementTree as ET

    from reconciler.plan.document import made_document

    if made is None:
        return
    properties = ET.SubElement(suite, "properties")
    for name, value in made_document(made).items():
        text = str(value).lower() if isinstance(value, bool) else value
        ET.SubElement(properties, "property", name=name, value=escape(text))


class _Cases:
    """Collects test cases and counts their results."""

    def __init__(self) -> None:
        self.name = ""
        self.elements: list[Element] = []
        self.failures = self.errors = self.skipped = 0

    def counts(self) -> dict[str, str]:
        return {
            "tests": str(len(self.elements)),
            "failures": str(self.failures),
            "errors": str(self.errors),
            "skipped": str(self.skipped),
        }

    def add(
        self,
        kind: str,
        name: str,
        *,
        end: str | None = None,
        message: str = "",
        sort: str = "",
        body: Sequence[str] = (),
        output: Sequence[str] = (),
        file: str | None = None,
        line: int | None = None,
    ) -> None:
        """Add a case that passes, or that ends in `end` (failure, error, skipped). `body` and `output` are escaped lines."""
        import xml.etree.ElementTree as ET

        case = ET.Element("testcase", classname=f"{self.name}.{kind}", name=escape(name))
        if file is not None:
            case.set("file", escape(file))
            case.set("line", str(line))
        if end is not None:
            found = ET.SubElement(case, end, message=escape(message))
            if end != "skipped":
                found.set("type", escape(sort))
                found.text = "\n".join(body) or escape(message)
            self.failures += end == "failure"
            self.errors += end == "error"
            self.skipped += end == "skipped"
        if output:
            ET.SubElement(case, "system-out").text = "\n".join(output)
        self.elements.append(case)


def _plan(cases: _Cases, plan: Plan) -> None:
    cases.name = "reconciler.plan"
    changes = {section.address: section for section in wording.by_org(plan.changes)}
    # Changes outside the orgs of the plan would be a bug elsewhere; show them anyway.
    for address in dict.fromkeys((*plan.orgs, *changes)):
        section = changes.get(address)
        cases.add("org", address, output=list(text.section(section)) if section else ())
    for refusal in plan.refusals:
        option = wording.allow_option(refusal)
        body = [escape(wording.sentence(refusal.fact)), f"To fix: {escape(wording.sentence(refusal.fix))}"]
        if option:
            body.append(f"To allow it once: {escape(option)}")
        cases.add(
            "safeguard",
            f"{refusal.code} {refusal.address}",
            end="failure",
            message=refusal.fact,
            sort=refusal.code,
            body=body,
            file=refusal.source.file if refusal.source else None,
            line=refusal.source.line if refusal.source else None,
        )
    for error in plan.errors:
        _problem(cases, error)
    cases.add("plan", "summary", output=_plan_output(plan))


def _plan_output(plan: Plan) -> list[str]:
    lines = [escape(line) for line in wording.summary(plan)]
    lines += text.render_diagnostics(plan.warnings).splitlines()
    lines += [f"Note: {escape(note)}" for note in plan.notes]
    lines += [f"Not managed by these manifests: {escape(address)}" for address in plan.unmanaged]
    lines += [f"Allowed by --allow: {escape(refusal.code)} {escape(refusal.address)}" for refusal in plan.lifted]
    lines += [escape(wording.confirmation(handle)) for handle in plan.confirm_delete]
    return lines + [f"Access: {escape(wording.effect(effect))}" for effect in plan.impact]


def _result(cases: _Cases, result: Result) -> None:
    cases.name = "reconciler.apply"
    ends = {"failed": "failure", "unconfirmed": "failure", "skipped": "skipped"}
    later = {c.address: [escape(until(c.expires, c.then))] for c in result.plan.changes if c.expires}
    for outcome in result.outcomes:
        cases.add(
            "step",
            f"{outcome.number} {outcome.action} {outcome.address}",
            end=ends.get(outcome.status),
            message=wording.outcome(outcome) or outcome.status,
            sort="failed" if outcome.status_code is None else f"HTTP {outcome.status_code}",
            output=later.get(outcome.address, []),
        )
    end = "failure" if result.interrupted else None
    notes = [f"Note: {escape(note)}" for note in result.notes]
    cases.add(
        "apply",
        "summary",
        end=end,
        message="interrupted",
        sort="interrupted",
        output=[wording.result_summary(result), *notes],
    )


def _validation(cases: _Cases, validation: Validation) -> None:
    cases.name = "reconciler.validate"
    of_policies = set()
    if validation.verdict is not None:
        from reconciler.report import policies

        of_policies = set(policies.diagnostics(validation.verdict))
        policy_cases(cases, validation.verdict)
    for error in validation.errors:
        if error not in of_policies:
            _problem(cases, error)
    output = [wording.validation_summary(validation), *text.render_diagnostics(validation.warnings).splitlines()]
    output += [f"Note: {escape(note)}" for note in validation.notes]
    cases.add("validate", "summary", output=output)


def policy_cases(cases: _Cases, verdict: Verdict) -> None:
    """A test case for each policy: it fails with everything that breaks it, unless the policy only warns."""
    from reconciler.report import policies

    for policy in verdict.policies:
        broken = [one for one in verdict.violations if one.policy == policy.name]
        lines = [text.escape(line) for one in broken for line in policies.lines(one)]
        fails = bool(broken) and policy.level == "error"
        cases.add(
            "policy",
            policy.name,
            end="failure" if fails else None,
            message="; ".join(one.fact for one in broken),
            sort="policy",
            body=lines,
            output=() if fails else lines,
            file=policy.source.file,
            line=policy.source.line,
        )


def _problem(cases: _Cases, found: Diagnostic) -> None:
    where = f"{found.source}: " if found.source else ""
    cases.add(
        "manifest",
        where + found.summary,
        end="error",
        message=found.summary,
        sort=found.severity,
        body=text.render_diagnostics([found]).splitlines(),
        file=found.source.file if found.source else None,
        line=found.source.line if found.source else None,
    )
