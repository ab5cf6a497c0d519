"""The JSON API: what it says, whom it says it to, and that no request at all brings it out of its shape."""

from datetime import timedelta

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as effort
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pipeline.accounts import make_token
from pipeline.review import signoffs_of
from tests.web.made import PROJECT

CHECKS = [
    not_a_server_error, content_type_conformance, response_schema_conformance, response_headers_conformance,
    status_code_conformance,
]  # fmt: skip
bounded = effort(
    max_examples=6, deadline=None, database=None, suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)  # fmt: skip


class Caller:
    """A program with a token."""

    def __init__(self, site, user: str, **more) -> None:
        self.site, self.browser = site, site.browser()
        self.secret = make_token(site.ledger, user, "tests", **more).secret

    def get(self, path: str) -> httpx.Response:
        return self.browser.client.get(f"/api/v1{path}", headers=self.headers)

    def post(self, path: str, body: dict) -> httpx.Response:
        return self.browser.client.post(f"/api/v1{path}", headers=self.headers, json=body)

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret}"}


@pytest.fixture
def ana(site):
    return Caller(site, "ana.ruiz")


def answer(site, **changes):
    return {"decision": "advance", "comment": "Read and agreed.", "report": site.pack.digest, **changes}


def test_it_says_who_asks_and_what_waits(site, ana):
    assert ana.get("/me").json()["id"] == "ana.ruiz"
    (project,) = ana.get("/projects").json()
    assert (project["id"], project["stage"], project["state"]) == (PROJECT, "pilot", "awaiting_review")
    assert ana.get(f"/projects/{PROJECT}").json()["charter"]["kpi"]["target"] == 0.042
    (review,) = ana.get("/reviews").json()
    assert review["report"] == site.pack.digest
    assert {one["role"] for one in review["missing"]} == {"sponsor", "business_owner", "operations"}
    whole = ana.get(f"/reviews/{site.review.id}").json()
    assert whole["kpis"][0]["value"][0] == 0.0403
    assert [one["decision"] for one in whole["choices"]] == ["advance", "iterate", "hold", "stop"]
    events = ana.get(f"/history?project={PROJECT}&limit=2").json()
    assert [one["kind"] for one in events] == ["iteration.opened", "iteration.running"]
    assert ana.get(f"/history?after={events[-1]['seq']}&limit=1").json()[0]["seq"] == events[-1]["seq"] + 1


def test_signing_goes_by_the_same_rules(site, ana):
    signed = ana.post(f"/reviews/{site.review.id}/sign", answer(site))
    assert signed.status_code == 200
    assert signed.json()["waiting"] == ["business_owner", "operations"]
    again = ana.post(f"/reviews/{site.review.id}/sign", answer(site))
    assert again.status_code == 409
    assert "signed advance already" in again.json()["findings"][0]["found"]
    own = Caller(site, "li.wei").post(f"/reviews/{site.review.id}/sign", answer(site))
    assert own.status_code == 409
    assert site.kinds()[-1] == "review.refused"
    assert len(signoffs_of(site.ledger, site.review.id)) == 1


def test_a_token_that_may_only_look_does_not_sign(site):
    looking = Caller(site, "tom.okoye", read_only=True)
    assert looking.get("/reviews").status_code == 200
    refused = looking.post(f"/reviews/{site.review.id}/sign", answer(site))
    assert refused.status_code == 403
    assert signoffs_of(site.ledger, site.review.id) == ()


def test_cookies_count_nothing(site):
    ana = site.browser("ana.ruiz")
    assert ana.get("/api/v1/me").status == 401
    sent = ana.client.post(f"/api/v1/reviews/{site.review.id}/sign", json=answer(site))
    assert sent.status_code == 401
    assert sent.headers["www-authenticate"] == "Bearer"


def test_what_is_not_yours_does_not_exist(site):
    from pipeline.accounts import invite

    invite(site.ledger, "nora.new", "Nora New", by="tests", trusted=True)
    nora = Caller(site, "nora.new")
    assert nora.get("/projects").json() == nora.get("/reviews").json() == nora.get("/history").json() == []
    for path in (f"/projects/{PROJECT}", f"/reviews/{site.review.id}", f"/history?project={PROJECT}"):
        assert nora.get(path).status_code == 404
        problem = nora.get(path).json()
        assert set(problem) == {"title", "findings", "request_id"}
    assert nora.post(f"/reviews/{site.review.id}/sign", answer(site)).status_code == 404


@pytest.mark.parametrize(
    "change", [{"decision": "maybe"}, {"comment": "x" * 4001}, {"report": "short"}, {"extra": 1}, {"feedback": [{}]}]
)
def test_a_body_that_cannot_be_is_refused_with_its_place(site, ana, change):
    refused = ana.post(f"/reviews/{site.review.id}/sign", answer(site, **change))
    assert refused.status_code == 422
    assert refused.json()["findings"][0]["place"].startswith("body")


def test_the_health_route_says_no_more_than_that(site):
    assert site.browser().get("/health").text == '{"status":"ok"}'


@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
def test_no_request_brings_it_out_of_shape(site, ana, mode):
    """Bounded on purpose: a few requests per operation, made from the OpenAPI document, in shape and out of it."""
    schema = schemathesis.openapi.from_dict(site.browser().client.get("/api/v1/openapi.json").json())
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 7
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not (operation.path_parameters or operation.query or operation.body):
            continue

        @bounded
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            sent = case.as_transport_kwargs(base_url=ana.browser.base)
            headers = {**dict(sent.pop("headers", None) or {}), **ana.headers}
            sent["content"] = sent.pop("data", None)
            sent = {name: sent.get(name) for name in ("method", "url", "params", "json", "content")}
            answered = ana.browser.client.request(headers=headers, **sent)
            answered.elapsed = timedelta(0)
            case.validate_response(schemathesis.Response.from_any(answered), checks=CHECKS)

        ask()
