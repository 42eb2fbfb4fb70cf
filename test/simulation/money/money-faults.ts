import type { DeliberateFault } from "../deliberate-faults.ts";

/** Protections of money taken away on purpose: each must be found by a claim. */
export const moneyFaults: readonly DeliberateFault[] = [
  {
    name: "open-not-refused",
    what: "A confirm is sent again while nobody knows what became of the first.",
    patches: [
      {
        file: "money/guard.ts",
        from: `if (entry === undefined || entry.state === "released") return undefined;`,
        to: `if (entry === undefined || entry.state !== "in-flight") return undefined;`,
      },
    ],
  },
  {
    name: "in-flight-not-refused",
    what: "A second confirm is sent beside one that is under way.",
    patches: [
      {
        file: "money/guard.ts",
        from: `if (entry === undefined || entry.state === "released") return undefined;`,
        to: `if (entry === undefined || entry.state !== "open") return undefined;`,
      },
    ],
  },
  {
    name: "completed-not-remembered",
    what: "What was answered as done may be sent again.",
    patches: [
      {
        file: "money/guard.ts",
        from: "for (const key of keys) completed.add(key);",
        to: "for (const key of keys.slice(1)) completed.add(key);",
      },
    ],
  },
  {
    name: "settled-not-remembered",
    what: "What Presto says to be completed when it is asked may be sent again.",
    patches: [
      {
        file: "money/guard.ts",
        from: "if (entry.key !== undefined) completed.add(entry.key);",
        to: "if (entry.key === undefined) completed.add(entry.operation.name);",
      },
    ],
  },
  {
    name: "spelling-not-folded",
    what: "Another spelling of a reference is another reference.",
    patches: [
      {
        file: "upstream/references.ts",
        from: "if (visibleAscii.test(text)) return text.toLowerCase();",
        to: "if (text.length > 0) return text;",
      },
    ],
  },
  {
    name: "unknown-frees",
    what: "A confirm whose answer was lost counts as not sent.",
    patches: [
      {
        file: "money/perform.ts",
        from: `if (error instanceof Problem) return error.outcome === "not-sent";`,
        to: "if (error instanceof Problem) return true;",
      },
    ],
  },
  {
    name: "server-error-is-refusal",
    what: "A 5xx with a message counts as a refusal.",
    patches: [
      {
        file: "money/judge.ts",
        from: "if (status < 400 || status > 499 || unsureRefusals.has(status))",
        to: "if (status < 400 || unsureRefusals.has(status))",
      },
    ],
  },
  {
    name: "page-is-refusal",
    what: "A gateway's page with a 4xx counts as a refusal.",
    patches: [
      {
        file: "money/judge.ts",
        from: "const isRefusal = status === 401 ? isJson(response) : isPrestosRefusal(response);",
        to: "const isRefusal = isJson(response) || !isPrestosRefusal(response);",
      },
    ],
  },
  {
    name: "conflict-is-refusal",
    what: "408, 409 and 425 count as refusals.",
    patches: [
      {
        file: "money/judge.ts",
        from: "new Set([408, 409, 425])",
        to: "new Set([425])",
      },
    ],
  },
  {
    name: "empty-success-is-done",
    what: "A success that names no transaction counts as done.",
    patches: [
      {
        file: "money/judge.ts",
        from: `if (told.length === 0 || !isOwn) return "unclear";`,
        to: `if (!isOwn) return "unclear";`,
      },
    ],
  },
  {
    name: "another-answer-passed",
    what: "An answer that names another transaction is taken for the call's own.",
    patches: [
      {
        file: "upstream/answered-for.ts",
        from: "!asked.some((one) => one.key === key) && asked.some((one) => one.isNumber === isNumber),",
        to: "asked.length > 99 && !asked.some((one) => one.key === key && one.isNumber === isNumber),",
      },
      {
        file: "money/judge.ts",
        from: `if (told.length === 0 || !isOwn) return "unclear";`,
        to: `if (told.length === 0 && !isOwn) return "unclear";`,
      },
    ],
  },
  {
    name: "question-answered-for-another",
    what: "What Presto says of another transaction settles the one that was asked for.",
    patches: [
      {
        file: "money/question.ts",
        from: `status: isAnother ? "not-known" : readStatus(response),`,
        to: `status: isAnother && response.status > 299 ? "not-known" : readStatus(response),`,
      },
    ],
  },
  {
    name: "not-found-settles",
    what: "What stands in an answer other than 200 is believed.",
    patches: [
      {
        file: "money/question.ts",
        from: `response.status === 200 ? statusIn(response) : undefined`,
        to: `response.status === 500 ? undefined : statusIn(response)`,
      },
    ],
  },
  {
    name: "early-failed-believed",
    what: "A `failed` is believed, however early it was heard.",
    patches: [
      {
        file: "money/settle.ts",
        from: "const isLate = askedAt >= entry.givenUpAt + this.#times.settleMs;",
        to: "const isLate = askedAt >= entry.givenUpAt;",
      },
    ],
  },
  {
    name: "asked-once",
    what: "What is not settled by the first question is not asked about again.",
    patches: [
      {
        file: "money/settle.ts",
        from: "this.#askIn(entry, Math.min(pauseMs, leftMs, believedInMs > 0 ? believedInMs : pauseMs));",
        to: "if (pauseMs < 0) this.#askIn(entry, Math.min(pauseMs, leftMs, believedInMs));",
      },
    ],
  },
  {
    name: "given-up-frees",
    what: "When PRESTO_SETTLE_OUTCOMES has passed the entry is dropped.",
    patches: [
      {
        file: "money/settle.ts",
        from: "entry.stopped = true;",
        to: "this.#deps.guard.released(entry, false);",
      },
    ],
  },
  {
    name: "late-word-unheard",
    what: "What was believed to have failed is never asked about again.",
    patches: [
      {
        file: "money/settle.ts",
        from: "if (waitMs === undefined) this.#deps.guard.released(entry, false);",
        to: "if (waitMs !== undefined) this.#deps.guard.released(entry, false);",
      },
      {
        file: "money/settle.ts",
        from: "else this.#askIn(entry, waitMs);\n  }\n\n  #putOff",
        to: "else this.#askIn(entry, 1_000);\n  }\n\n  #putOff",
      },
    ],
  },
  {
    name: "sent-before-its-line",
    what: "A confirm is sent while its line is still being written.",
    patches: [
      {
        file: "money/record.ts",
        from: "if (durable === undefined) {",
        to: "if (durable !== null) {\n      durable?.catch(() => {});",
      },
    ],
  },
  {
    name: "line-not-synced",
    what: "A line counts as durable once it was written.",
    patches: [
      {
        file: "audit/file-medium.ts",
        from: "await current.sync();\n      if (!folderDue) return;",
        to: "if (!folderDue) return;",
      },
    ],
  },
  {
    name: "folder-not-synced",
    what: "The name of a new file is never made durable.",
    patches: [
      {
        file: "audit/file-medium.ts",
        from: "await disk.syncFolder(path).then(",
        to: "await Promise.resolve().then(",
      },
    ],
  },
  {
    name: "failed-file-gone-on-with",
    what: "After a failed sync the next one on the same file is believed.",
    patches: [
      {
        file: "audit/writer.ts",
        from: `    medium.drop();
    syncDue = false;
    dueReason = "failed";`,
        to: `    syncDue = false;`,
      },
    ],
  },
  {
    name: "torn-line-gone-on-with",
    what: "A start appends to an unfinished line.",
    patches: [
      {
        file: "audit/recover.ts",
        from: `begin: segment.unfinished ? "torn" : undefined`,
        to: "begin: undefined",
      },
      {
        file: "audit/file-medium.ts",
        from: "if (opensAs.size !== segment.bytes) {",
        to: "if (opensAs.size < segment.bytes) {",
      },
    ],
  },
  {
    name: "open-forgotten-at-start",
    what: "What was under way when a process ended is not known to the next.",
    patches: [
      {
        file: "money/money.ts",
        from: "for (const { operation, references, requestId, at } of left) {",
        to: "for (const { operation, references, requestId, at } of left.slice(left.length)) {",
      },
    ],
  },
  {
    name: "completed-forgotten-at-start",
    what: "What had completed when a process ended may be sent again by the next.",
    patches: [
      {
        file: "money/money.ts",
        from: "for (const { operation, reference, at } of completed)",
        to: "for (const { operation, reference, at } of completed.slice(completed.length))",
      },
    ],
  },
  {
    name: "open-not-carried-on",
    what: "A new file does not begin with what is open.",
    patches: [
      {
        file: "audit/entries.ts",
        from: "open: open.map(openCallObject),",
        to: "open: open.slice(open.length).map(openCallObject),",
      },
    ],
  },
  {
    name: "completed-not-carried-on",
    what: "A new file does not begin with what has completed.",
    patches: [
      {
        file: "audit/entries.ts",
        from: "completed: completed.map(({ operation, reference, at }) => ({ operation, reference, at })),",
        to: "completed: [],",
      },
    ],
  },
  {
    name: "unclear-end-closes",
    what: "An unclear end is taken down as if nothing were open.",
    patches: [
      {
        file: "audit/money-lines.ts",
        from: `return { ...ended, outcome: end.kind, code, open: end.kind === "unknown" };`,
        to: `return { ...ended, outcome: end.kind, code, open: false };`,
      },
    ],
  },
  {
    name: "settle-counted-from-the-line",
    what: "After a start PRESTO_SETTLE counts from the time of the line, by the wall clock.",
    patches: [
      {
        file: "money/guard.ts",
        from: "entry.openedAt = call.at;",
        to: "entry.openedAt = call.at;\n        entry.givenUpAt -= Math.abs(clock.now() - call.at);",
      },
    ],
  },
];
