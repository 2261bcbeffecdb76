"""Generated plans: anything that the model can hold, sensible or not, with text that tries to deceive."""

from datetime import date

import hypothesis
from hypothesis import strategies as st

from built import built
from reconciler.model.diagnostic import Diagnostic, Refusal, Source
from reconciler.model.plan import Change, DnsChange, Effect, Plan, Step
from reconciler.model.request import Request
from reconciler.model.result import Outcome, Result

HOSTILE = (
    "<b>bold</b>",
    "<script>alert(1)</script>",
    "a | b",
    "one\ntwo\r\nthree",
    "::error::hello",
    "  ::stop-commands::x",
    "##[add-mask]x",
    "\x1b[2J\x1b]0;t\x07",
    "@everyone #123 GH-1 me/you#4",
    "`code` ``` fence ~~~",
    "\u202eevil\u2066x\u2069\u200f",
    "zero\u200bwidth\ufeff\u2060",
    "[link](javascript:alert(1)) ![i](https://x.example/i.png)",
    "https://x.example www.x.example a@x.example",
    "*b* _i_ ~~s~~ # h\n- [ ] t",
    "</code></details></summary><!-- x -->]]>",
    "\x00\x08\x0b\ufffe\ud800",
    "100%0A%25,:",
    "&amp; &#64; &lt;",
    "\\",
    " ",
    "",
)


def given(*strategies):
    """Hypothesis' own, without a deadline: how long a page takes on a busy machine says nothing about it."""
    return lambda test: hypothesis.settings(deadline=None)(hypothesis.given(*strategies)(test))


texts = (
    st.sampled_from(HOSTILE) | st.text(max_size=12) | st.sampled_from(("alice", "acme", "role", "null", "1e3", "no"))
)
maybe = st.none() | texts
numbers = st.integers(0, 10**6)
leaves = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=5
)
attributes = st.none() | st.dictionaries(texts, values, max_size=3)
actions = st.sampled_from(("create", "update", "rename", "delete"))
sources = built(Source, texts, numbers, numbers)
addresses = (
    st.sampled_from(
        (
            "org.acme",
            "org.acme/member.bob",
            "org.acme/workspace.prod",
            "org.acme/workspace.prod/grant.bob",
            "org.b/member.c",
        )
    )
    | st.builds("org.{}/member.{}".format, texts, texts)
    | texts
)
# `acme/prod`: the schema of a plan takes nothing else
workspaces = st.from_regex(r"[^/\s]+/[^/\s]+", fullmatch=True)
requests = built(
    Request,
    st.sampled_from(("POST", "PATCH", "DELETE")),
    texts.map(lambda text: f"/{text}"),
    attributes,
    st.none() | numbers,
    maybe,
)
changes = built(
    Change,
    actions,
    texts,
    addresses,
    attributes,
    attributes,
    st.lists(requests, max_size=3).map(tuple),
    st.none() | sources,
    maybe,
    st.booleans(),
    maybe,
    maybe,
    st.none() | numbers,
    maybe,
    st.lists(texts, max_size=2).map(tuple),
)
refusals = built(Refusal, texts, addresses, texts, texts, st.none() | sources, st.booleans())
diagnostics = built(
    Diagnostic,
    st.sampled_from(("error", "warning")),
    texts,
    st.none() | sources,
    maybe,
    st.integers(0, 40),
    st.none() | sources,
    maybe,
)
effects = built(Effect, texts, texts, maybe | st.just("owner"), maybe | st.just("owner"), texts, st.booleans())


def few(strategy):
    return st.lists(strategy, max_size=3).map(tuple)


@st.composite
def steps_for(draw, made):
    """Steps that send every request at most once, each as its change shows it."""
    steps = []
    for change in made:
        cut = draw(st.integers(0, len(change.requests)))
        for part in (change.requests[:cut], change.requests[cut:]):
            if draw(st.booleans()):
                owners = draw(st.none() | numbers)
                needs = tuple(draw(st.lists(numbers, max_size=2)))
                steps.append(Step(len(steps) + 1, change.address, change.action, draw(texts), part, needs, owners))
    return tuple(steps)


@st.composite
def plans(draw):
    made = draw(few(changes))
    return Plan(
        changes=made,
        steps=draw(steps_for(made)),
        impact=draw(few(effects)),
        dns=draw(few(built(DnsChange, workspaces, texts, maybe))),
        refusals=draw(few(refusals)),
        lifted=draw(few(refusals)),
        allowed=draw(few(st.tuples(texts, addresses))),
        errors=draw(few(diagnostics)),
        warnings=draw(few(diagnostics)),
        notes=draw(few(texts)),
        unmanaged=draw(few(addresses)),
        orgs=draw(few(addresses)),
        day=draw(st.dates(date(1, 1, 1))),
        files=draw(few(st.tuples(texts, texts))),
        reads=draw(st.dictionaries(addresses, texts, max_size=3)),
        confirm_delete=draw(few(texts)),
    )


@st.composite
def results(draw):
    plan = draw(plans())
    outcomes = tuple(
        Outcome(
            step.number,
            step.address,
            step.action,
            draw(st.sampled_from(("done", "already", "failed", "skipped"))),
            draw(texts),
            draw(st.booleans()),
            draw(st.none() | st.integers(400, 599)),
            draw(maybe),
        )
        for step in plan.steps
    )
    return Result(plan, outcomes, draw(few(texts)), draw(st.booleans()))
