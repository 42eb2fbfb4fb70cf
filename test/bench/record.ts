/**
 * `npm run bench:record`: what the record of money calls and the guard cost a confirm. The built program,
 * one confirm after the other, without a record, with one where fsync is free (tmpfs), and with one on
 * this folder's disk; by turns, so that a busy machine falls on all alike.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { startCli } from "../support/built-cli.ts";
import type { RunningCli } from "../support/built-cli.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import { until } from "../support/until.ts";
import { answerAbout, nextConfirm, queryPath } from "./upstream.ts";

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "400" },
    rounds: { type: "string", default: "9" },
    tmpfs: { type: "string", default: "/dev/shm" },
    disk: { type: "string", default: tmpdir() },
  },
});

interface Candidate {
  readonly name: string;
  readonly socketPath: string;
  readonly running: RunningCli;
  readonly agent: Agent;
  /** Milliseconds of each confirm. */
  readonly confirms: number[];
  readonly reads: number[];
}

const presto = await startRawPresto();
presto.answer(({ requestLine, socket }) => {
  const [, reference = "TRX12345678901"] = /transaction_reference=([^ &]+)/.exec(requestLine) ?? [];
  socket.write(httpAnswer(200, answerAbout(reference)));
});
const folders: string[] = [];

function folderIn(place: string): string {
  const folder = mkdtempSync(join(place, "presto-bench-record-"));
  folders.push(folder);
  return folder;
}

const caFile = join(folderIn(tmpdir()), "ca.pem");
writeFileSync(caFile, presto.authority.certPem);

async function start(name: string, audit: string): Promise<Candidate> {
  const socketPath = join(folderIn(tmpdir()), "proxy");
  const running = startCli(["start"], {
    env: {
      PRESTO_URL: presto.url,
      PRESTO_CA_FILE: caFile,
      PRESTO_TOKEN: "token-of-the-bench",
      PRESTO_LISTEN: `unix:${socketPath}`,
      PRESTO_ADMIN_LISTEN: "127.0.0.1:0",
      PRESTO_CONTROL_LISTEN: "off",
      PRESTO_LOG_LEVEL: "error",
      PRESTO_AUDIT: audit,
    },
  });
  await until(() => existsSync(socketPath) || undefined, { withinMs: 30_000, what: running.err });
  return {
    name,
    socketPath,
    running,
    agent: new Agent({ keepAlive: true, maxSockets: 1 }),
    confirms: [],
    reads: [],
  };
}

function call({ socketPath, agent }: Candidate, path: string, body?: string): Promise<number> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const outgoing = request({ socketPath, path, method, agent, headers }, (response) => {
      response.resume();
      response.on("end", () => {
        if (response.statusCode === 200) resolve(performance.now() - startedAt);
        else reject(new Error(`it answered ${response.statusCode}`));
      });
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** @param counts the first round only warms up */
async function measure(candidate: Candidate, calls: number, counts: boolean): Promise<void> {
  for (let each = 0; each < calls; each += 1) {
    const { path, body } = nextConfirm();
    const confirm = await call(candidate, path, body);
    const read = await call(candidate, queryPath);
    if (!counts) continue;
    candidate.confirms.push(confirm);
    candidate.reads.push(read);
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
}

const candidates = [
  await start("no record", "off"),
  await start("tmpfs", `file:${join(folderIn(values.tmpfs), "audit.jsonl")}`),
  await start("disk", `file:${join(folderIn(values.disk), "audit.jsonl")}`),
];
try {
  const calls = Number(values.calls);
  for (let round = 0; round <= Number(values.rounds); round += 1)
    for (const candidate of candidates) await measure(candidate, calls, round > 0);
  for (const { name, confirms, reads } of candidates) {
    const figures = [quantile(confirms, 0.5), quantile(confirms, 0.99), quantile(reads, 0.5)];
    const [p50 = 0, p99 = 0, read = 0] = figures;
    process.stdout.write(
      `${name.padEnd(10)} confirm p50 ${p50.toFixed(3)} ms, p99 ${p99.toFixed(3)} ms; read p50 ${read.toFixed(3)} ms\n`,
    );
  }
} finally {
  for (const { running } of candidates) running.child.kill("SIGKILL");
  await presto.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
