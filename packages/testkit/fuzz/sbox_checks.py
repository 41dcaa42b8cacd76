"""What every answer of sbox keeps, beside what Schemathesis checks by itself."""

import schemathesis

PROBLEM = "application/problem+json"
FIELDS = {"type", "title", "status", "code", "detail", "fix"}


@schemathesis.check
def refusals_are_problems(ctx, response, case):
    """An answer from 400 on is a problem document with a code, and never shows where in our code it happened."""
    if response.status_code < 400 or case.method == "HEAD":
        return
    kind = response.headers.get("content-type", [""])[0]
    assert kind.startswith(PROBLEM), f"a refusal as {kind}"
    problem = response.json()
    missing = FIELDS - problem.keys()
    assert not missing, f"the problem lacks {sorted(missing)}"
    assert problem["status"] == response.status_code, "the problem names another status"
    assert ".ts:" not in response.text and "node:internal" not in response.text, "the problem shows a stack"


@schemathesis.check
def requests_have_ids(ctx, response, case):
    """Whoever asks for help can name the request; what is refused before it is one ends its connection."""
    if response.headers.get("connection") == ["close"]:
        return
    assert response.headers.get("x-request-id"), "the answer has no X-Request-Id"


@schemathesis.serializer("application/x-tar")
def tar(ctx, value):
    """Bundles go as the bytes they are."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@schemathesis.hook
def filter_headers(ctx, headers):
    """A word that the HTTP library of the fuzzer keeps for itself ends the fuzzer, when it is drawn."""
    return all("SKIP_HEADER" not in str(value) for value in (headers or {}).values())
