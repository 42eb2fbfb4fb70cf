import type { DeliberateFault } from "./deliberate-faults.ts";

/** Deliberate faults in P1 to P10, in the probe, and in the sending. */
export const requestFaults: readonly DeliberateFault[] = [
  {
    name: "resend-on-reset",
    what: "A call whose connection broke is sent again.",
    patches: [
      {
        file: "upstream/dispatch.ts",
        from: "if (call.requestWritten) return false;",
        to: `if (problem.code === "upstream-broken") return true;
             if (call.requestWritten) return false;`,
      },
      // Or its second start would be refused.
      {
        file: "upstream/exchange.ts",
        from: "this.#controller === undefined ? this.begin()",
        to: '!this.headers.includes("none") ? this.begin()',
      },
    ],
  },
  {
    name: "tokens-by-generation",
    what: "A record of a smaller generation than the one in hand is not taken.",
    patches: [
      {
        file: "token/source.ts",
        from: "const next = stored.record;",
        to: "const next = stored.record;\n    if (record !== undefined && next.generation < record.generation) return;",
      },
    ],
  },
  {
    name: "single-401-is-dead",
    what: "One 401 is enough to take a token for dead.",
    patches: [
      {
        file: "presto/probe.ts",
        from: `if (again === "unauthorized") return "dead";`,
        to: `if (again !== "other") return "dead";`,
      },
    ],
  },
  {
    name: "young-token-believed-dead",
    what: "A token that was made a moment ago is taken for dead.",
    patches: [
      {
        file: "presto/probe.ts",
        from: "const isYoung = wasYoung || (issuedAt !== null && youngLeftMs(issuedAt, beganAt) > 0);",
        to: "const isYoung = wasYoung && beganAt < 0;",
      },
    ],
  },
  {
    name: "lying-401-wins",
    what: "A probe whose first answer was a 401 takes the token for dead, whatever the next one says.",
    patches: [
      { file: "presto/probe.ts", from: `if (again === "success") return "alive";`, to: "" },
      {
        file: "presto/probe.ts",
        from: `return again === "not-found" ? notFound() : "unclear";`,
        to: `return "dead";`,
      },
    ],
  },
  {
    name: "rejection-without-id",
    what: "A 401 is held against the token in hand, whichever token it was for.",
    patches: [
      {
        file: "token/source.ts",
        from: "      mark(rejected);",
        to: "      mark(active.current() ?? rejected);",
      },
    ],
  },
  {
    name: "no-wait-after-401",
    what: "After a 401 nobody waits for another token.",
    patches: [
      {
        file: "token/waiting.ts",
        from: "const limit = limitFrom(rejectedAt, call);",
        to: "const limit = rejectedAt;",
      },
    ],
  },
  {
    name: "sent-without-token",
    what: "Some calls go without a token.",
    patches: [
      {
        file: "token/token.ts",
        from: `"authorization", token.authorization`,
        to: `"authorization", token.generation % 2 === 0 ? "Bearer " : token.authorization`,
      },
    ],
  },
  {
    name: "restored-intent-ignored",
    what: "An intent that nobody works on is no reason to take the lock.",
    patches: [
      {
        file: "renewal/triggers.ts",
        from: "record !== undefined && record.intent !== null",
        to: "record !== undefined && record.intent !== null && record.schema !== 1",
      },
      { file: "renewal/triggers.ts", from: "if (!hasLooked || (request", to: "if ((request" },
    ],
  },
  {
    name: "reset-told-as-not-sent",
    what: "A connection that broke after the request was sent is told as if nothing had been sent.",
    patches: [
      {
        file: "upstream/dispatch.ts",
        from: `return new Problem("upstream-broken", {`,
        to: `return new Problem("upstream-broken", {\n      outcome: "not-sent",`,
      },
    ],
  },
  {
    name: "deadline-unheard",
    what: "A call that waits for a token is not told that its time is over.",
    patches: [
      {
        file: "token/waiting.ts",
        from: `(why) => end({ kind: "cancelled", why })`,
        to: `(why) => void why`,
      },
    ],
  },
  {
    name: "mark-kept",
    what: "A token that was rejected once stays so, also when Presto accepts it.",
    patches: [
      {
        file: "token/source.ts",
        from: "if (!rejections.clear(id)) return;",
        to: "if (rejections.has(id)) return;",
      },
    ],
  },
  {
    name: "rejected-tried-by-all",
    what: "A token that is known to be rejected is tried again by whoever comes.",
    patches: [
      {
        file: "token/active.ts",
        from: "if (mark === undefined || mark.trier !== undefined) return false;",
        to: "if (mark === undefined) return false;",
      },
      {
        file: "token/active.ts",
        from: "if (clock.monotonic() < mark.lastTriedAt + mark.waitMs) return false;",
        to: "",
      },
    ],
  },
  {
    name: "rejected-tried-at-one-pace",
    what: "A token that is known to be rejected is tried every 5 s, for however long that goes on.",
    patches: [{ file: "token/active.ts", from: "mark.waitMs = waitAfter(mark.tries);", to: "" }],
  },
  {
    name: "pending-password-replaced",
    what: "A new reset takes the place of a pending password that was never settled.",
    patches: [
      {
        file: "presto/password-reset.ts",
        from: "if (credentials.pending !== null) {",
        to: "if (credentials.pending !== null && wanted !== undefined) {",
      },
      {
        file: "presto/password-reset.ts",
        from: `if (wanted === undefined) throw changedMeanwhile("The earlier password reset was settled meanwhile");`,
        to: `wanted ??= new (credentials.password.constructor as new (text: string) => Secret)("another new password");`,
      },
    ],
  },
];
