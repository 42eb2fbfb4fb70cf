/**
 * `npm run bench:money-memory`: what millions of calls that move money leave in memory. First the guard, the
 * judge, the settling and the record by themselves, over a disk that forgets; then the built program over
 * sockets, with a record on tmpfs whose old files are removed as a shipper would.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { createServer, type Server } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import type { AppendedFile, Disk } from "../../src/audit/disk.ts";
import { createMoneyRecord } from "../../src/audit/money-lines.ts";
import { openAudit } from "../../src/audit/open.ts";
import { systemClock } from "../../src/clock.ts";
import { random } from "../../src/lib/async.ts";
import { createMoney, type Money } from "../../src/money/money.ts";
import { withRecord } from "../../src/money/record.ts";
import { walletOperations } from "../../src/policy/operations.ts";
import { createAuthority } from "../../src/sandbox/certificates.ts";
import { Secret } from "../../src/secret.ts";
import { createToken } from "../../src/token/token.ts";
import type { Call, CallEnd, Response } from "../../src/upstream/call.ts";
import { startCli } from "../support/built-cli.ts";
import { until } from "../support/until.ts";
import { answerAbout, confirmPath } from "./upstream.ts";

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "10000000" },
    "socket-calls": { type: "string", default: "200000" },
    tmpfs: { type: "string", default: "/dev/shm" },
  },
});
const mebibyte = 1024 * 1024;

/** Bytes are counted, and gone. */
function createForgetfulDisk(): Disk {
  const sizes = new Map<string, { readonly inode: number; size: number }>();
  let inodes = 0;
  const find = (path: string): { readonly inode: number; size: number } => {
    const found = sizes.get(path);
    if (found === undefined) throw Object.assign(new Error("ENOENT"), { code: "ENOENT" });
    return found;
  };
  const open = (path: string): AppendedFile => {
    const file = find(path);
    return {
      async append(bytes) {
        file.size += bytes.length;
      },
      async sync() {},
      identity: async () => ({ device: 1, ...file }),
      async close() {},
    };
  };
  return {
    async look(path) {
      const file = sizes.get(path);
      const owner = process.geteuid?.() ?? 0;
      return file === undefined ? undefined : { kind: "file", device: 1, ...file, owner, mode: 0o600 };
    },
    async create(path) {
      sizes.set(path, { inode: (inodes += 1), size: 0 });
      return open(path);
    },
    openAtEnd: async (path) => open(path),
    async read() {},
    namesBeside: async () => [],
    // The shipper was there before anybody could look.
    async link() {},
    async rename(from, to) {
      sizes.set(to, find(from));
      sizes.delete(from);
    },
    async remove(path) {
      sizes.delete(path);
    },
    async syncFolder() {},
  };
}

const confirm = walletOperations.find(({ name }) => name === "wallet.confirm");
if (confirm === undefined) throw new Error("no operation moves money");
const operation = confirm;
const token = createToken(new Secret("of-the-bench"), 1);

function answer(status: number, body: string): Response {
  return { status, headers: ["content-type", "application/json"], body: Buffer.from(body) };
}

/** Nearly all are done; one of a hundred is refused, and one has no clear end and is settled when it is asked about. */
function answerOf(number: number): Response {
  if (number % 100 === 1) return answer(422, '{"message":"no"}');
  if (number % 100 === 2) return answer(500, '{"message":"no"}');
  return answer(200, `{"data":{"transaction_reference":"TRX${number}"}}`);
}

async function openParts(): Promise<Money> {
  const record = await openAudit(
    {
      place: { kind: "file", path: "/record/audit.jsonl", mode: 0o600 },
      whenUnavailable: "refuse",
      writer: "sidecar",
      lockWaitMs: 0,
    },
    {
      clock: systemClock,
      emit() {},
      stream() {
        throw new Error("no stream");
      },
      onFound() {},
      disk: createForgetfulDisk(),
      lock: {
        acquire: async () => ({
          identity: "none",
          heldUntil: () => Number.POSITIVE_INFINITY,
          renew: async () => true,
          release: async () => {},
        }),
      },
    },
  );
  const money = createMoneyRecord(record, {
    pod: { name: "bench", namespace: undefined },
    clock: systemClock,
  });
  const send = withRecord(
    (call, _token, end) => {
      call.attempts += 1;
      call.requestWritten = true;
      end.answered(answerOf(Number(call.requestId)));
    },
    { record: money, clock: systemClock },
  );
  return createMoney(
    { settleMs: 90_000, settleOutcomesMs: 24 * 3_600_000, questionMs: 10_000 },
    {
      perform: (call, end) => send(call, token, end),
      ask: (call, end) =>
        end.answered(
          answer(
            200,
            `{"data":{"transaction_reference":"${call.target.split("/").at(-1)}","status":"completed"}}`,
          ),
        ),
      record: money,
      clock: systemClock,
      random,
      emit() {},
    },
  );
}

function createCall(number: number): Call {
  const now = systemClock.monotonic();
  return {
    requestId: String(number),
    operation,
    method: "POST",
    target: operation.template,
    headers: [],
    body: Buffer.from(`{"transaction_reference":"TRX${number}"}`),
    arrivedAt: now,
    deadlineAt: now + 18_000,
    lastAt: now + 20_000,
    reserve: () => true,
    cancelReason: undefined,
    waiting: undefined,
    requestWritten: false,
    attempts: 0,
    upstreamMs: 0,
    generation: undefined,
    peer: "127.0.0.1:40000",
  };
}

function tell(what: string, calls: number): void {
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  process.stdout.write(
    `${what.padEnd(8)} ${String(calls).padStart(9)} calls  heap ${(heapUsed / mebibyte).toFixed(1)} MiB, process ${(rss / mebibyte).toFixed(1)} MiB\n`,
  );
}

/** So many at a time, as many as a sidecar sends. */
async function driveParts(calls: number): Promise<void> {
  const money = await openParts();
  const group = 256;
  const marks = [0.02, 0.1, 0.5, 1].map((share) => Math.ceil((calls * share) / group) * group);
  const startedAt = performance.now();
  for (let done = 0; done < calls; done += group) {
    await Promise.all(
      Array.from({ length: group }, (_, index) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        const end: CallEnd = { answered: () => resolve(), failed: () => resolve() };
        money.perform(createCall(done + index), end);
        return promise;
      }),
    );
    if (marks.includes(done + group)) tell("parts", done + group);
  }
  const us = ((performance.now() - startedAt) * 1_000) / calls;
  process.stdout.write(
    `parts    ${us.toFixed(1)} µs a call; ${money.outcomes.summary().open} open at the end\n`,
  );
  money.close();
}

/** Presto, as far as a confirm needs it; it remembers nothing. */
async function startServer(): Promise<{
  readonly server: Server;
  readonly url: string;
  readonly caPem: string;
}> {
  const authority = await createAuthority();
  const { certPem, keyPem } = await authority.issue();
  const server = createServer({ cert: certPem, key: keyPem, keepAliveTimeout: 60_000 }, (incoming, reply) => {
    let text = "";
    incoming.setEncoding("utf8").on("data", (part: string) => (text += part));
    incoming.on("end", () => {
      const [, reference = "TRX"] = /"transaction_reference":"([^"]+)"/.exec(text) ?? [];
      reply.setHeader("content-type", "application/json").end(answerAbout(reference));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { server, url: `https://127.0.0.1:${port}`, caPem: authority.certPem };
}

let confirms = 0;

/** One confirm of a transaction of its own. */
function sendConfirm(socketPath: string, agent: Agent): Promise<void> {
  confirms += 1;
  const body = `{"transaction_reference":"TRX${confirms}"}`;
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const outgoing = request(
      { socketPath, path: confirmPath, method: "POST", agent, headers },
      (response) => {
        response.resume();
        response.on("end", () => {
          if (response.statusCode === 200) resolve();
          else reject(new Error(`it answered ${response.statusCode}`));
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** Callers side by side, one confirm after the other. */
async function load(socketPath: string, agent: Agent, calls: number): Promise<void> {
  const callers = 32;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (let call = 0; call < calls / callers; call += 1) await sendConfirm(socketPath, agent);
    }),
  );
}

/** The same through the built program, whose own memory is what counts. */
async function driveProgram(calls: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "presto-bench-memory-"));
  const record = mkdtempSync(join(values.tmpfs, "presto-bench-memory-"));
  const presto = await startServer();
  const socketPath = join(folder, "proxy");
  const caFile = join(folder, "ca.pem");
  writeFileSync(caFile, presto.caPem);
  const running = startCli(["start"], {
    env: {
      PRESTO_URL: presto.url,
      PRESTO_CA_FILE: caFile,
      PRESTO_TOKEN: "token-of-the-bench",
      PRESTO_LISTEN: `unix:${socketPath}`,
      PRESTO_ADMIN_LISTEN: "127.0.0.1:0",
      PRESTO_CONTROL_LISTEN: "off",
      PRESTO_LOG_LEVEL: "error",
      PRESTO_AUDIT: `file:${join(record, "audit.jsonl")}`,
    },
  });
  try {
    await until(() => existsSync(socketPath) || undefined, { withinMs: 30_000, what: running.err });
    const agent = new Agent({ keepAlive: true, maxSockets: 32 });
    const steps = 8;
    for (let step = 1; step <= steps; step += 1) {
      await load(socketPath, agent, calls / steps);
      for (const name of readdirSync(record)) if (/\.jsonl\.\d+$/.test(name)) rmSync(join(record, name));
      const status = readFileSync(`/proc/${running.child.pid}/status`, "utf8");
      const kib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN);
      process.stdout.write(
        `program  ${String((calls / steps) * step).padStart(9)} calls  process ${(kib / 1_024).toFixed(1)} MiB\n`,
      );
    }
    agent.destroy();
  } finally {
    running.child.kill("SIGKILL");
    presto.server.close();
    rmSync(folder, { recursive: true, force: true });
    rmSync(record, { recursive: true, force: true });
  }
}

if (Number(values.calls) > 0) await driveParts(Number(values.calls));
if (Number(values["socket-calls"]) > 0) await driveProgram(Number(values["socket-calls"]));
process.exit(0);
