import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { bundle } from "../../tools/build/bundle.ts";
import type { DeliberateFault } from "../simulation/deliberate-faults.ts";

/** Protections of money calls that are taken away on purpose, to see that the proof notices. */
export const plantedFaults: readonly DeliberateFault[] = [
  {
    name: "open-forgotten",
    what: "A restart forgets what the record says is open.",
    patches: [{ file: "app/record.ts", from: "sidecar.reopen(early.left, ", to: "sidecar.reopen([], " }],
  },
  {
    name: "unended-forgotten",
    what: "Recovery takes a call without an end for one that was not sent.",
    patches: [
      {
        file: "app/record.ts",
        from: "open.map((call)",
        to: "open.filter(({ endedAt }) => endedAt !== null).map((call)",
      },
    ],
  },
  {
    name: "end-before-answer",
    what: "The end of a call is taken down when it is sent.",
    patches: [
      {
        file: "money/record.ts",
        from: "      try {\n        this.#send(call, this.#token, this);\n      } catch (error) {\n        this.failed(error);",
        to: '      try {\n        this.#deps.record.end(this, { kind: "answered", status: 200, verdict: "completed" });\n        this.#send(call, this.#token, this);\n      } catch (error) {\n        this.failed(error);',
      },
    ],
  },
  {
    name: "no-fsync",
    what: "Nothing waits for the disk.",
    patches: [
      {
        file: "audit/disk.ts",
        from: "sync: () => change(path, () => file.datasync()),",
        to: "sync: async () => {},",
      },
    ],
  },
  {
    name: "fsync-too-early",
    what: "A line counts by an fsync that began before it was written.",
    patches: [
      {
        file: "audit/writer.ts",
        from: '      if (text !== "") await medium.append(text);\n      if (waits || syncDue || closed) await syncWritten();',
        to: '      if (waits || syncDue || closed) await syncWritten();\n      if (text !== "") await medium.append(text);\n      if (waits || syncDue || closed) {}',
      },
    ],
  },
  {
    name: "sent-before-line",
    what: "A call is sent while its line is still being written.",
    patches: [
      {
        file: "money/record.ts",
        from: "    if (durable === undefined) {",
        to: "    durable?.catch(() => {});\n    if (call !== undefined) {",
      },
    ],
  },
  {
    name: "gateway-error-refused",
    what: "A 5xx counts as a refusal.",
    patches: [
      {
        file: "money/judge.ts",
        from: 'if (status < 400 || status > 499 || unsureRefusals.has(status)) return "unclear";',
        to: 'if (status > 499) return "refused";\n  if (status < 400 || unsureRefusals.has(status)) return "unclear";',
      },
    ],
  },
  {
    name: "page-refused",
    what: "A gateway's page with a 4xx counts as Presto's refusal.",
    patches: [
      {
        file: "money/judge.ts",
        from: "isJson(response) : isPrestosRefusal(response);",
        to: "isJson(response) : true;",
      },
    ],
  },
  {
    name: "not-found-failed",
    what: "A 404 to the question counts as failed.",
    patches: [
      {
        file: "money/question.ts",
        from: "const status = response.status === 200 ? statusIn(response) : undefined;",
        to: 'const status = response.status === 200 ? statusIn(response) : response.status === 404 ? "failed" : undefined;',
      },
    ],
  },
  {
    name: "any-word-completed",
    what: "Whatever Presto says but failed counts as completed.",
    patches: [
      {
        file: "money/question.ts",
        from: 'return status === "completed" || status === "failed" || status === "pending" ? status : "not-known";',
        to: 'return status === "failed" ? status : "completed";',
      },
    ],
  },
  {
    name: "question-about-another",
    what: "An answer to the question counts whichever transaction it names.",
    patches: [
      {
        file: "money/question.ts",
        from: 'status: isAnother ? "not-known" : readStatus(response),',
        to: "status: readStatus(response),",
      },
    ],
  },
  {
    name: "sent-again",
    what: "A confirm is sent again after an unknown end.",
    patches: [
      {
        file: "money/perform.ts",
        from: "    if (wasNotSent(error, this.#call)) {",
        to: "    if (!wasNotSent(error, this.#call) && this.#call.attempts === 1) {\n      this.#attempt = attempt;\n      this.#deps.perform(this.#call, this);\n      return;\n    }\n    if (wasNotSent(error, this.#call)) {",
      },
    ],
  },
  {
    name: "failed-at-once",
    what: "A `failed` frees a transaction whenever it is heard.",
    patches: [
      {
        file: "money/settle.ts",
        from: "const isLate = askedAt >= entry.givenUpAt + this.#times.settleMs;",
        to: "const isLate = true;",
      },
    ],
  },
  {
    name: "given-up-long-ago",
    what: "After a restart, `PRESTO_SETTLE` counts as over.",
    patches: [
      {
        file: "money/guard.ts",
        from: "        entry.openedAt = call.at;",
        to: "        entry.openedAt = call.at;\n        entry.givenUpAt -= settleMs;",
      },
    ],
  },
  {
    name: "in-flight-unguarded",
    what: "A second confirm is sent while the first is in flight.",
    patches: [
      {
        file: "money/guard.ts",
        from: 'if (entry === undefined || entry.state === "released") return undefined;',
        to: 'if (entry === undefined || entry.state === "released" || entry.state === "in-flight") return undefined;',
      },
    ],
  },
  {
    name: "broken-not-sent",
    what: "A connection that broke after the request was sent counts as one on which nothing was sent.",
    patches: [
      { file: "upstream/dispatch.ts", from: "    if (!this.#call.requestWritten) {", to: "    if (error) {" },
    ],
  },
  {
    name: "about-another",
    what: "A success is passed on whichever transaction it names.",
    patches: [
      {
        file: "upstream/answered-for.ts",
        from: "return namesAnother(answeredReferences(response, member), references);",
        to: "return references === undefined;",
      },
      {
        file: "money/judge.ts",
        from: 'if (told.length === 0 || !isOwn) return "unclear";',
        to: 'if (told.length === 0 && !isOwn) return "unclear";',
      },
    ],
  },
  {
    name: "one-id-one-call",
    what: "The end of one call counts for all that have its request id.",
    patches: [
      {
        file: "audit/entries.ts",
        from: "const left = references.filter((each) => !isTold(each, reference));",
        to: "const left = references.filter((each) => references.length > 1 && !isTold(each, reference));",
      },
    ],
  },
  {
    name: "end-not-recorded",
    what: "What became of an unclear call is not taken down.",
    patches: [
      {
        file: "audit/money-lines.ts",
        from: "    settled({ operation, reference, requestId, status, by }) {\n",
        to: "    settled({ operation, reference, requestId, status, by }) {\n      if (operation !== undefined) return;\n",
      },
    ],
  },
  {
    name: "chain-from-0",
    what: "A restart begins the chain at 0 in the file that it goes on with.",
    patches: [
      {
        file: "audit/file-medium.ts",
        from: "    return segment.last;",
        to: '    return { seq: 0, hash: "0".repeat(64) };',
      },
    ],
  },
  {
    name: "torn-line-continued",
    what: "A restart goes on behind an unfinished line.",
    patches: [
      {
        file: "audit/recover.ts",
        from: 'begin: segment.unfinished ? "torn" : undefined',
        to: "begin: undefined",
      },
      {
        file: "audit/file-medium.ts",
        from: "if (opensAs.size !== segment.bytes) {",
        to: "if (opensAs.size < segment.bytes) {",
      },
    ],
  },
];

/** Builds the program with that fault in it, and gives its first file to `use`; afterwards it is removed. */
export async function withBuilt<T>(fault: DeliberateFault, use: (main: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "money-kills-build-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    return await use(await build(fault, folder));
  } finally {
    process.removeListener("exit", remove);
    remove();
  }
}

async function build({ patches }: DeliberateFault, folder: string): Promise<string> {
  const { files } = await bundle(patches);
  for (const { path, text } of [...files, { path: "package.json", text: '{ "type": "commonjs" }\n' }]) {
    const file = join(folder, "dist", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  // The program reads its version beside its folder.
  cpSync("package.json", join(folder, "package.json"));
  return join(folder, "dist", "main.js");
}
