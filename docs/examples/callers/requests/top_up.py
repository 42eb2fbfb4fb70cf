"""Tops a wallet up through the sidecar. Usage: top_up.py [http://localhost:7380]"""

import sys
import time

import requests

base = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:7380"
session = requests.Session()
session.trust_env = False  # neither HTTP_PROXY nor a password of ~/.netrc goes to the sidecar


def send(path, body):
    """Sends it, and the very same again while nothing reached Presto. None: nobody knows what became of it."""
    reply = None
    for _ in range(5):
        try:
            reply = session.post(
                f"{base}/api/institutions/v1/wallet{path}",
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=(2, 25),  # to connect, and between bytes: longer than PRESTO_TIMEOUT
                allow_redirects=False,
            )
        except requests.RequestException:
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
        return "paid" if reply.ok else "refused"
    return "not-sent" if outcome == "not-sent" and reply.status_code != 409 else "ask"


order = '{"customer":{"identifier_type":"phone","identifier":"218910000000"},"amount":25.500,"currency":"LYD"}'
init = send("/init", order)
if init is None or init.status_code != 200:
    sys.exit("no transaction: nothing has moved")
reference = init.json()["data"]["transaction_reference"]  # keep it where it outlives this process, then confirm
print(end_of(send("/confirm", f'{{"transaction_reference":"{reference}"}}')), reference)
