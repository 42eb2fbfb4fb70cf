import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";

import { parseObject } from "../../src/lib/json.ts";
import { formatListenAddress } from "../../src/listen/address.ts";
import { createSandbox } from "../../src/sandbox/server.ts";
import { runHere } from "../support/command-io.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { createIssuingBench } from "../support/issuing-bench.ts";
import { marksIn } from "../support/marks.ts";
import { exchange } from "../support/raw-caller.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import { eventually } from "../support/sidecar-load.ts";
import { confirmCall, initCall, walletPaths } from "../support/wallet-call.ts";

// What a sidecar takes down beside its money calls: its start, issue calls, alarms, and what a person has said
// became of a call.

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "record-lines-"));
  path = join(folder, "audit.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Waits as `eventually`, also on a machine that is very busy. */
const soon = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 60_000, interval: 20 });

function lines(): Record<string, unknown>[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => ({ ...parseObject(line) }));
}

const ofType = (...types: string[]): Record<string, unknown>[] =>
  lines().filter(({ type }) => types.includes(String(type)));

describe("the record of a sidecar", () => {
  it("has what a person has said became of a call", async () => {
    const sandbox = createSandbox();
    await sandbox.start();
    onTestFinished(() => sandbox.close());
    const side = await startSidecar({
      url: sandbox.url,
      caPem: sandbox.caPem,
      env: {
        PRESTO_TOKEN: sandbox.token,
        PRESTO_CONTROL_LISTEN: "127.0.0.1:0",
        PRESTO_AUDIT: `file:${path}`,
      },
    });
    onTestFinished(() => side.close());
    const begun = await exchange(side, initCall());
    const reference = String(JSON.parse(begun.body).data.transaction_reference);
    sandbox.setFault({ kind: "reset-before-acting", path: walletPaths.confirm, times: 1 });
    expect((await exchange(side, confirmCall(reference))).status).toBe(502);
    const { control } = side.addresses;
    const argv = ["outcomes", "resolve", reference, "--as", "failed", "--yes"];
    const env = { PRESTO_CONTROL_LISTEN: control === undefined ? "off" : formatListenAddress(control) };
    expect((await runHere(argv, { env })).code).toBe(0);
    const settled = { type: "outcome-settled", reference, operation: "wallet.confirm", by: "person" };
    await eventually(async () => ofType("outcome-settled")).toMatchObject([{ ...settled, status: "failed" }]);
    // What was known to have completed may be opened by a person, too, and that stands there as well.
    expect((await exchange(side, confirmCall(reference))).status).toBe(200);
    expect((await runHere(argv, { env })).code).toBe(0);
    await eventually(async () => ofType("outcome-settled").length).toBe(2);
  });

  it("has its start, each issue call, and each alarm; and no secret", async () => {
    // Fifty times as fast: a token is not believed to be dead before it is 30 s old.
    const clock = createFastClock(50);
    const account = { email: "ops.team@marked-bank.example", password: "First-marked-Passw0rd" };
    const bench = await createIssuingBench({ sandbox: { now: clock.now, ...account } });
    onTestFinished(() => bench.close());
    const sidecar = await bench.start({
      clock,
      env: {
        PRESTO_EMAIL: account.email,
        PRESTO_PASSWORD: account.password,
        PRESTO_AUDIT: `file:${path}`,
        PRESTO_PROBE_EVERY: "5s",
        PRESTO_TIMEOUT: "500s",
        PRESTO_HOLD_MAX: "400s",
        PRESTO_CONNECT_TIMEOUT: "250s",
      },
    });
    const secrets = [bench.sandbox.token];
    await sidecar.renewalSays({ last_end: { kind: "nothing-to-do" } });
    bench.sandbox.mintToken({ name: "somebody else's" });
    secrets.push(bench.sandbox.token);
    await sidecar.call().catch(() => undefined);
    await soon(async () => (await bench.record()).generation).toBe(2);
    secrets.push(bench.sandbox.token);
    // Whoever latches it, each process takes it down.
    await bench.change({ stopped: { reason: "somebody else issues tokens", at: new Date() } });
    await soon(async () => ofType("alarm").map(({ alarm }) => alarm)).toContain("renewal-stopped");
    await bench.change({ stopped: null });
    await soon(async () => ofType("alarm-cleared")).toMatchObject([{ alarm: "renewal-stopped" }]);
    // The configuration in it, masked, is asked for by the tests of the built program, which has one.
    expect(ofType("start")).toMatchObject([{ role: "all", version: expect.any(String) }]);
    expect(ofType("issue-begun", "issue-ended", "token-stored").map(({ type }) => type)).toEqual([
      "issue-begun",
      "issue-ended",
      "token-stored",
    ]);
    expect(ofType("alarm")).toMatchObject([
      { alarm: "unexplained-death", deaths_24h: 1 },
      { alarm: "renewal-stopped", reason: "somebody else issues tokens" },
    ]);
    const marks = [...secrets, account.email, account.password, bench.key].map((value) => ({
      name: "a secret",
      value,
    }));
    expect(marksIn(readFileSync(path, "utf8"), marks)).toEqual([]);
    expect((await runHere(["audit", "verify", path])).code).toBe(0);
  }, 180_000);
});
