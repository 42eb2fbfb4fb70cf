"""Tops a wallet up through the sidecar. Usage: top_up.py [http://localhost:7380 | /path/of/the.sock]"""

import sys
import time

import httpx

base = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:7380"
socket = base if base.startswith("/") else None
client = httpx.Client(
    base_url="http://localhost" if socket else base,
    transport=httpx.HTTPTransport(uds=socket),  # one of our own: HTTP_PROXY is not looked at
    trust_env=False,
    timeout=httpx.Timeout(25, connect=2),  # longer than PRESTO_TIMEOUT
)


def send(path, body):
    """Sends it, and the very same again while nothing reached Presto. None: nobody knows what became of it."""
    reply = None
    for _ in range(5):
        try:
            reply = client.post(
                f"/api/institutions/v1/wallet{path}",
                content=body,
                headers={"Content-Type": "application/json"},
            )
        except httpx.TransportError:
            return None
        if not problem(reply).get("retryable") or reply.headers.get("Presto-Outcome") != "not-sent":
            return reply
        time.sleep(int(reply.headers.get("Retry-After", "1")))
    return reply


def problem(reply):
    """What the sidecar says; empty if the answer is Presto's own."""
    return reply.json() if reply.headers.get("Content-Type") == "application/problem+json" else {}


def end_of(reply):
    """What became of a confirm: paid, refused, not-sent, or ask."""
    if reply is None:
        return "ask"
    outcome = reply.headers.get("Presto-Outcome")
    told = reply.headers.get("Presto-Transaction") or problem(reply).get("transaction", {}).get("status")
    if told == "completed":
        return "paid"
    if outcome == "answered" and told is None and reply.status_code // 100 in (2, 4):
        return "paid" if reply.is_success else "refused"
    return "not-sent" if outcome == "not-sent" and reply.status_code != 409 else "ask"


order = '{"customer":{"identifier_type":"phone","identifier":"218910000000"},"amount":25.500,"currency":"LYD"}'
init = send("/init", order)
if init is None or init.status_code != 200:
    sys.exit("no transaction: nothing has moved")
reference = init.json()["data"]["transaction_reference"]  # keep it where it outlives this process, then confirm
print(end_of(send("/confirm", f'{{"transaction_reference":"{reference}"}}')), reference)
