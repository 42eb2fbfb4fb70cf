/** All that is known of a latch: readiness follows it by this, and docs/alerts.md is made from it. */
export interface LatchRow {
  /**
   * What a closed one does to readiness. `closes`: the sidecar is not ready. `advisory`: it is shown, and
   * readiness does not follow it. `by-role`: closes it where issuing is all that the process is for.
   */
  readonly effect: "closes" | "advisory" | "by-role";
  /** When it is closed: half a sentence, in Markdown. */
  readonly closedWhile: string;
  /** What to do about it, beside what its reason says: sentences for people. */
  readonly mend: string;
}

/** What must hold for the sidecar to be ready, and what an operator should look at though calls go on. All of it is local: an outage of Presto must not take an app's pod down. */
export const latchRows = {
  started: {
    effect: "closes",
    closedWhile: "the sidecar starts, and its listeners are not all open",
    mend: "Wait; the log says what it waits for.",
  },
  token: {
    effect: "closes",
    closedWhile: "no token was ever read; once one was, it stays open whatever becomes of store and token",
    mend: "Put a token into the store (presto-sidecar token import), or start the role that issues one; presto-sidecar doctor says what is missing.",
  },
  draining: {
    effect: "closes",
    closedWhile: "it shuts down, or was told to drain",
    mend: "Start another in its place; this one is about to end.",
  },
  egress: {
    effect: "closes",
    closedWhile:
      "calls are kept back because they would leave from an address that is not in `PRESTO_EGRESS_IPS`",
    mend: "Have the address registered with Presto, or mend the way out; presto-sidecar doctor says which it is.",
  },
  alarm: {
    effect: "by-role",
    closedWhile: "the alarm is latched, because somebody else issues tokens on this account",
    mend: "Stop whoever else issues tokens with this account; then run presto-sidecar token renew --force.",
  },
  "token-refused": {
    effect: "advisory",
    closedWhile: "Presto's last word on the token in hand is 401, which can lie",
    mend: "See whether the token was revoked or has ended; presto-sidecar token renew has a new one issued.",
  },
  "credentials-refused": {
    effect: "advisory",
    closedWhile: "Presto refuses the account's e-mail and password",
    mend: "Give the account's right password: presto-sidecar credentials import.",
  },
  clock: {
    effect: "advisory",
    closedWhile: "this machine's clock makes each new token due at once, so that none is issued by plan",
    mend: "Have this machine's clock set by NTP.",
  },
  "record-elsewhere": {
    effect: "advisory",
    closedWhile: "the record in the store was written for another object",
    mend: "See that the other side has ended; then run presto-sidecar token renew --force.",
  },
  "last-good-addresses": {
    effect: "advisory",
    closedWhile: "no resolver answers, and the addresses that were last good serve",
    mend: "Mend the resolver; calls go on until Presto moves.",
  },
  "open-outcomes": {
    effect: "advisory",
    closedWhile: "it is not known what became of a call that moves money",
    mend: "List them: presto-sidecar outcomes.",
  },
} as const satisfies Readonly<Record<string, LatchRow>>;

export type LatchName = keyof typeof latchRows;

function isLatchName(name: string): name is LatchName {
  return Object.hasOwn(latchRows, name);
}

/** @param latch as `/readyz?verbose` names it */
export function mendOf(latch: string): string {
  return isLatchName(latch) ? latchRows[latch].mend : "See the log.";
}
