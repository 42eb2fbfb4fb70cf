import type { DeliberateFault } from "./deliberate-faults.ts";

/** Deliberate faults in the stores' adapters and locks, and in what a person puts there by hand. */
export const storeFaults: readonly DeliberateFault[] = [
  {
    name: "import-unproved",
    what: "Any token is imported beside an intent, whether it works or not.",
    patches: [
      {
        file: "store/import.ts",
        from: "if ((intent !== null || heldByOther !== undefined) && !(await isAlive()))",
        to: "if (heldByOther !== undefined && intent === null && !(await isAlive()))",
      },
    ],
  },
  {
    name: "import-explains-deaths",
    what: "An intent that stands beside an imported token goes on claiming to explain its death.",
    patches: [
      {
        file: "store/import.ts",
        from: "current === undefined || current.intent === null ? null : { ...current.intent, soleCall: false }",
        to: "current?.intent ?? null",
      },
    ],
  },
  {
    name: "read-from-cache",
    what: "The Secret is read from an API server's cache, and an older object believed.",
    patches: [
      {
        file: "store/kubernetes/secret.ts",
        from: `const response = await ask({ method: "GET", path });`,
        to: `const response = await ask({ method: "GET", path: \`\${path}?resourceVersion=0\` });`,
      },
    ],
  },
  {
    name: "written-without-version",
    what: "The Secret is written whatever stands there: the API server allows it.",
    patches: [
      {
        file: "store/kubernetes/secret.ts",
        from: "const object = { ...found.object, data:",
        to: "const object = { ...found.object, metadata: { name, namespace }, data:",
      },
      {
        file: "store/kubernetes/secret.ts",
        from: "if ((found?.bytes && versionOf(found)) !== expected) return",
        to: "if (found === undefined && expected !== undefined) return",
      },
      {
        file: "store/over-backend.ts",
        from: "if (current?.version !== expected) return",
        to: "if (current === undefined && expected !== undefined) return",
      },
    ],
  },
  {
    name: "watch-alone",
    what: "Nobody reads but when the watch tells of something.",
    patches: [
      {
        file: "store/kubernetes/watch.ts",
        from: "const calmPollMs = 60_000;",
        to: "const calmPollMs = 1e9;",
      },
      { file: "token/source.ts", from: "if (canChange) watch.refresh().catch(() => {});", to: "" },
    ],
  },
  {
    name: "older-version-believed",
    what: "What a standby that lags has of the entry takes the place of what was read before.",
    patches: [
      {
        file: "store/vault/vault.ts",
        from: "return isGoingBack(found) ? confirm(subject, path) : accept(found);",
        to: "return accept(found);",
      },
      {
        file: "store/vault/vault.ts",
        from: "const body = JSON.stringify({ options: { cas: current.cas }, data });",
        to: "const body = JSON.stringify({ options: {}, data });",
      },
    ],
  },
  {
    name: "term-from-answer",
    what: "A lock's term is counted from the answer to the write that renewed it, however late that comes.",
    patches: [
      {
        file: "store/term.ts",
        from: "sentAt = Math.max(sentAt, at);",
        to: "sentAt = Math.max(at, clock.monotonic());",
      },
      { file: "store/term.ts", from: "if (heldUntil() < clock.monotonic()) return false;", to: "" },
    ],
  },
  {
    name: "sleep-unnoticed",
    what: "A machine that slept believes in the term that its monotonic clock did not see pass.",
    patches: [{ file: "store/term.ts", from: " || hasSlept()", to: "" }],
  },
  {
    name: "lease-taken-anew",
    what: "A Lease that was lost is taken back from whoever holds it, and the old step goes on.",
    patches: [
      { file: "store/kubernetes/lease.ts", from: "if (!isMine(found)) {", to: "if (found === undefined) {" },
      {
        file: "store/kubernetes/lease.ts",
        from: "released || term.heldUntil() <= clock.monotonic();",
        to: "released;",
      },
      {
        file: "store/term.ts",
        from: "lost ||= clock.monotonic() >= sentAt + termMs || hasSlept();",
        to: "void hasSlept;",
      },
      { file: "store/term.ts", from: "if (heldUntil() < clock.monotonic()) return false;", to: "" },
    ],
  },
  {
    name: "intent-taken-at-once",
    what: "Where the intent is the lock, another's is taken over without waiting for LEASE.",
    patches: [
      {
        file: "store/intent-lock.ts",
        from: "return Math.max(0, seen.since + leaseMs - now);",
        to: "return 0 * leaseMs;",
      },
    ],
  },
];
