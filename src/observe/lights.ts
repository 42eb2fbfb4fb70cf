/** What to do about a latch that is closed, beside what its reason says: sentences for people. */
const mends: ReadonlyMap<string, string> = new Map([
  ["started", "Wait; the log says what it waits for."],
  [
    "token",
    "Put a token into the store (presto-sidecar token import), or start the role that issues one; presto-sidecar doctor says what is missing.",
  ],
  ["draining", "Start another in its place; this one is about to end."],
  [
    "egress",
    "Have the address registered with Presto, or mend the way out; presto-sidecar doctor says which it is.",
  ],
  [
    "token-refused",
    "See whether the token was revoked or has ended; presto-sidecar token renew has a new one issued.",
  ],
  ["credentials-refused", "Give the account's right password: presto-sidecar credentials import."],
  [
    "alarm",
    "Stop whoever else issues tokens with this account; then run presto-sidecar token renew --force.",
  ],
  ["clock", "Have this machine's clock set by NTP."],
  ["record-elsewhere", "See that the other side has ended; then run presto-sidecar token renew --force."],
  ["last-good-addresses", "Mend the resolver; calls go on until Presto moves."],
  ["open-outcomes", "List them: presto-sidecar outcomes."],
]);

/** @param latch as `/readyz?verbose` names it */
export function mendOf(latch: string): string {
  return mends.get(latch) ?? "See the log.";
}
