import type { DeliberateFault } from "./deliberate-faults.ts";

/** Deliberate faults in how a record that was put back, wiped, or brought along from elsewhere is dealt with. */
export const putBackFaults: readonly DeliberateFault[] = [
  {
    name: "put-back-unasked",
    what: "The remembered token is written back, and nobody is asked whether it lives.",
    patches: [
      {
        file: "renewal/putting-back.ts",
        from: "const verdict = await probeKept(run, kept, draining);",
        to: `const verdict = "alive" as Awaited<ReturnType<typeof probeKept>>;`,
      },
    ],
  },
  {
    name: "put-back-over-anything",
    what: "The remembered token is written over whatever stands there by then.",
    patches: [
      {
        file: "renewal/putting-back.ts",
        from: "const end = await writeRecord(deps.store, record, over?.version);",
        to: "const end = await writeRecord(deps.store, record, (await deps.store.read())?.version);",
      },
    ],
  },
  {
    name: "put-back-without-intent",
    what: "With the remembered token written back, an intent that stands is taken away.",
    patches: [
      {
        file: "renewal/putting-back.ts",
        from: "const intent = base.intent === null ? null : { ...base.intent, soleCall: false };",
        to: "const intent = null;",
      },
    ],
  },
  {
    name: "put-back-counted",
    what: "A record that was put back is counted as a death.",
    patches: [
      {
        file: "renewal/putting-back.ts",
        from: "    ...base,\n    generation,",
        to: "    ...base,\n    unexplainedDeaths: [...base.unexplainedDeaths, new Date(deps.clock.now())],\n    generation,",
      },
    ],
  },
  {
    name: "dead-token-remembered",
    what: "A remembered token that was found dead is not forgotten.",
    patches: [
      { file: "renewal/putting-back.ts", from: "memory.remembered.died(token.fingerprint());", to: "" },
    ],
  },
  {
    name: "read-token-remembered",
    what: "A token that was merely read takes the place of the one that is known to work.",
    patches: [
      {
        file: "renewal/reading.ts",
        from: "const putBack = await puttingBack(run, found);",
        to: `run.memory.remembered.storedLives(found, deps.clock.monotonic());
             const putBack = await puttingBack(run, found);`,
      },
    ],
  },
  {
    name: "memory-not-asked",
    what: "Where an intent stands, nobody asks whether a remembered token lives.",
    patches: [
      {
        file: "renewal/reading.ts",
        from: "const putBack = await puttingBack(run, found);",
        to: "const putBack = (found?.record.intent ?? null) === null ? await puttingBack(run, found) : undefined;",
      },
      {
        file: "renewal/settling.ts",
        from: "for (const kept of run.memory.remembered.missingIn(standing)) {",
        to: "for (const kept of run.memory.remembered.missingIn(standing).slice(0, 0)) {",
      },
    ],
  },
  {
    name: "no-look-while-stopped",
    what: "While the alarm is latched, a record that was put back is no reason to look.",
    patches: [
      {
        file: "renewal/triggers.ts",
        from: "if (options.isMissing()) return begin;",
        to: "if (options.isMissing() && (record?.stopped ?? null) === null) return begin;",
      },
    ],
  },
  {
    name: "alarm-outlives-its-record",
    from: 14_854,
    what: "An alarm goes on when the record in which it was latched has been taken away.",
    patches: [
      {
        file: "renewal/lifecycle.ts",
        from: "return read === undefined ? current() : read.found?.record;",
        to: "return read?.found === undefined ? current() : read.found.record;",
      },
    ],
  },
  {
    name: "home-ignored",
    what: "Nobody minds for which object the record was written.",
    patches: [
      {
        file: "store/home.ts",
        from: "return Object.entries(identity).every(([key, value]) => home[key] === value);",
        to: "return true;",
      },
    ],
  },
  {
    name: "foreign-token-remembered",
    what: "The token of a record that was written for another site is remembered, and written back as one's own.",
    patches: [
      {
        file: "renewal/remembering.ts",
        from: "found === undefined || !isAtHome(found) ? undefined",
        to: "found === undefined ? undefined",
      },
    ],
  },
];
