import type { DeliberateFault } from "./deliberate-faults.ts";

/** Deliberate faults in R1 to R8. */
export const rotatorFaults: readonly DeliberateFault[] = [
  {
    name: "intent-left-out",
    what: "R3 writes the record without the intent.",
    patches: [
      {
        file: "renewal/intending.ts",
        from: "    ...base,\n    intent,\n",
        to: "    ...base,\n    intent: null,\n",
      },
    ],
  },
  {
    name: "intent-after-call",
    what: "The intent is written while the call is already under way.",
    patches: [
      {
        file: "renewal/intending.ts",
        from: "const end = await writeRecord(store, record, state.found?.version);",
        to: `void clock.sleep(3_000).then(() => writeRecord(store, record, state.found?.version));
             const end = { kind: "written" as const, version: state.found?.version ?? "" };`,
      },
    ],
  },
  {
    name: "no-reread-under-lock",
    what: "R1 decides by the record as it was before the lock was taken.",
    patches: [
      {
        file: "renewal/machine.ts",
        from: "const held = await deps.lock.acquire(",
        to: "const early = await deps.store.read(); const held = await deps.lock.acquire(",
      },
      {
        file: "renewal/machine.ts",
        from: "return await walk({ deps,",
        to: "return await walk({ ...{ early: { found: early } }, deps,",
      },
      {
        file: "renewal/reading.ts",
        from: "found = await deps.store.read();",
        to: `const { early } = run as unknown as { early: { found?: Found } };
             const fresh = await deps.store.read();
             found = early.found === undefined || fresh === undefined ? fresh : { ...early.found, version: fresh.version };
             delete early.found;`,
      },
    ],
  },
  {
    name: "no-write-over-found-intent",
    what: "Whoever finds an intent settles it and calls, without one of its own.",
    patches: [
      {
        file: "renewal/reading.ts",
        from: `return { to: "intending", found, reason: "takeover", soleCall: false, takenOver: { soleCall } };`,
        to: `const standing = { intent: record.intent, record, version: found!.version };
             return { to: "settling", standing, call: { soleCall, givenUpAt: deps.clock.monotonic() }, underThisIntent: false };`,
      },
    ],
  },
  {
    name: "created-at-compared",
    what: "After a refused write the later created_at wins, and nobody is asked.",
    patches: [
      {
        file: "renewal/storing.ts",
        from: "const verdict = await deps.probe(token);",
        to: `const stored = found?.record.issuedAt ?? new Date(0);
             const verdict = candidate.issued.issuedAt > stored ? "alive" : "dead";`,
      },
      { file: "renewal/storing.ts", from: `verdict === "dead" && !young`, to: `verdict === "dead"` },
    ],
  },
  {
    name: "written-unasked",
    what: "After a refused write the token is written over the other one, and nobody is asked which works.",
    patches: [
      {
        file: "renewal/storing.ts",
        from: "const verdict = await deps.probe(token);",
        to: `const verdict = "alive" as Awaited<ReturnType<typeof deps.probe>>;`,
      },
    ],
  },
  {
    name: "no-settle",
    what: "An unclear call is repeated without waiting for SETTLE.",
    patches: [
      {
        file: "renewal/settling.ts",
        from: "const settledAt = call.givenUpAt + (call.settleMs ?? times.settleMs);",
        to: "const settledAt = call.givenUpAt + 0 * times.settleMs;",
      },
    ],
  },
  {
    name: "sole-call-always",
    what: "Every intent claims to be of the sole call that can have killed the token.",
    patches: [{ file: "renewal/intending.ts", from: "soleCall: state.soleCall,", to: "soleCall: true," }],
  },
  {
    name: "death-count-in-memory",
    what: "Unexplained deaths are counted by the process, and forgotten with it.",
    patches: [
      {
        file: "renewal/probing.ts",
        from: "const list = [...recentDeaths(record.unexplainedDeaths, now), new Date(now)];",
        to: `const counted = ((run.memory as unknown as { deaths?: Date[] }).deaths ??= []);
             counted.push(new Date(now));
             const list = recentDeaths(counted, now);`,
      },
      {
        file: "renewal/intending.ts",
        from: "unexplainedDeaths: state.deaths, lastDeath",
        to: "unexplainedDeaths: base.unexplainedDeaths, lastDeath",
      },
    ],
  },
  {
    name: "death-counted-again",
    what: "A dead token is counted each time that Presto refuses to replace it.",
    patches: [
      { file: "renewal/probing.ts", from: " || record.lastDeath === id;", to: ";" },
      {
        file: "renewal/storing.ts",
        from: `end.kind === "lost" ? undefined : withoutDeath(found)`,
        to: `end.kind === "lost" ? undefined : { ...withoutDeath(found), unexplainedDeaths: found.record.unexplainedDeaths }`,
      },
    ],
  },
  {
    name: "candidate-dropped",
    what: "A refused store write is taken as proof that another token is newer.",
    patches: [
      {
        file: "renewal/storing.ts",
        from: `{ to: "reconciling", candidate };`,
        to: `{ to: "clearing", end: { kind: "lost", detail: "refused" } };`,
      },
    ],
  },
  {
    name: "unclear-write-believed",
    what: "A store write whose answer was lost is taken as done.",
    patches: [
      {
        file: "renewal/storing.ts",
        from: `if (end.kind === "written") return finish(run, candidate, record);\n  if (end.kind === "unclear")`,
        to: `if (end.kind !== "refused") return finish(run, candidate, record);\n  if (end.kind !== "refused")`,
      },
    ],
  },
  {
    name: "foreign-intent-removed",
    what: "R8 removes whatever intent stands there.",
    patches: [
      {
        file: "renewal/storing.ts",
        from: "found.record.intent?.holder !== holder",
        to: "found.record.intent === null || holder === undefined",
      },
    ],
  },
  {
    name: "limit-of-two",
    what: "Two unexplained deaths latch the alarm.",
    patches: [{ file: "renewal/probing.ts", from: "most: 4,", to: "most: 2," }],
  },
  {
    name: "deaths-by-own-clock",
    what: "Deaths are dated and aged by each host's own clock.",
    patches: [
      {
        file: "renewal/probing.ts",
        from: "const now = deps.prestoNow();",
        to: "const now = deps.clock.now();",
      },
    ],
  },
  {
    name: "alarm-not-latched",
    what: "The alarm is raised, and does not stop the next renewal.",
    patches: [
      {
        file: "renewal/reading.ts",
        from: "record !== undefined && record.stopped !== null",
        to: "record !== undefined && record.stopped !== null && record.token === null",
      },
      {
        file: "renewal/triggers.ts",
        from: "record !== undefined && record.stopped !== null) return wait(Infinity);",
        to: "record !== undefined && record.stopped !== null && record.token === null) return wait(Infinity);",
      },
    ],
  },
  {
    name: "late-answer-unheard",
    what: "A token that comes after ISSUE_TIMEOUT is thrown away.",
    patches: [{ file: "renewal/settling.ts", from: `if (end.kind === "unclear") return;`, to: "return;" }],
  },
  {
    name: "late-answer-noted-late",
    from: 14_336,
    what: "A token whose answer comes late is known only when whoever waits for it comes to it.",
    patches: [
      {
        file: "renewal/issuing.ts",
        from: `if (heard.kind === "issued") noteIssued(run, heard.issued, standing);`,
        to: "",
      },
      {
        file: "renewal/issuing.ts",
        from: `case "issued":\n      run.memory.unclear = undefined;`,
        to: `case "issued":\n      run.memory.unclear = undefined; noteIssued(run, end.issued, standing);`,
      },
    ],
  },
  {
    name: "lock-not-looked-at",
    what: "Nobody makes sure that the lock outlives the call.",
    patches: [
      { file: "renewal/issuing.ts", from: "if (!ours ||", to: "if (times.settleMs < 0 && !ours ||" },
      {
        file: "renewal/issuing.ts",
        from: "held.heldUntil() - clock.monotonic() < times.issueTimeoutMs + lockMarginMs",
        to: "times.settleMs < 0 * lockMarginMs",
      },
      { file: "renewal/issuing.ts", from: "found?.version === standing.version", to: "found !== undefined" },
      {
        file: "renewal/issuing.ts",
        from: "clock.monotonic() + times.issueTimeoutMs < held.heldUntil()",
        to: "clock.monotonic() > 0 * held.heldUntil.length",
      },
    ],
  },
  {
    name: "issued-while-ending",
    what: "A process that was asked to end begins its call all the same.",
    patches: [
      { file: "renewal/issuing.ts", from: "!run.draining.aborted && clock", to: "clock" },
      {
        file: "renewal/issuing.ts",
        from: `quiet(times.graceMs));
  if (run.draining.aborted) return { to: "clearing", end: { kind: "shut-down" } };`,
        to: "quiet(times.graceMs));",
      },
    ],
  },
  {
    name: "issued-unasked",
    what: "PRESTO_RENEW=manual is not heeded where the stored token is dead.",
    patches: [
      {
        file: "renewal/triggers.ts",
        from: "const counted = deps.automatic ? rejected : nothing;",
        to: "const counted = rejected;",
      },
    ],
  },
  {
    name: "settle-not-doubled",
    what: "However often no answer could be read, the next call follows after SETTLE.",
    patches: [
      {
        file: "renewal/run.ts",
        from: "return Math.min(settleMs * 2 ** Math.min(count - 1, 20), Math.max(longestSettleMs, settleMs));",
        to: "return settleMs;",
      },
    ],
  },
  {
    name: "clock-believed",
    what: "A clock that makes each new token due at once is not found out.",
    patches: [
      {
        file: "renewal/lifecycle.ts",
        from: "if (record !== undefined && isStillDue) deps.clockAlarm.latch(record);",
        to: "void isStillDue;",
      },
    ],
  },
  {
    name: "window-ignored",
    what: "Renewals by plan begin at any time of the day.",
    patches: [
      {
        file: "renewal/schedule.ts",
        from: "return now >= plainDueAt(record, end, schedule) && inWindow(now, end, schedule.window) <= now;",
        to: "return now >= plainDueAt(record, end, schedule);",
      },
    ],
  },
  {
    name: "wish-fulfilled-by-candidate",
    what: "A person is told of a token that was in hand when they asked, and not stored yet.",
    patches: [
      {
        file: "renewal/lifecycle.ts",
        from: "ids: inHand === undefined ? [...issued] : [...issued, inHand],",
        to: "ids: inHand === undefined ? [] : [inHand],",
      },
    ],
  },
  {
    name: "wish-dropped",
    what: "What a person was told to be under way is forgotten as soon as they have gone.",
    patches: [
      {
        file: "renewal/requests.ts",
        from: "          request.reply = undefined;\n          join();",
        to: "          all = all.filter((other) => other !== request);",
      },
    ],
  },
];
