import { writeFileSync } from "node:fs";

import { afterEach, beforeEach, expect, it } from "vitest";

import { startHeldPresto } from "../support/held-presto.ts";
import type { HeldPresto } from "../support/held-presto.ts";
import { openProgramStage, type ProgramStage } from "../support/program-stage.ts";
import { openRawCaller } from "../support/raw-caller.ts";
import type { RawCaller } from "../support/raw-caller.ts";
import { confirmCall, postCall, queryCall, walletPaths } from "../support/wallet-call.ts";
import type { WatchedCli } from "../support/watched-cli.ts";

let presto: HeldPresto;
let stage: ProgramStage;
let sidecar: WatchedCli;
const callers: RawCaller[] = [];

beforeEach(async () => {
  presto = await startHeldPresto();
  stage = await openProgramStage(
    { url: presto.url, caPem: presto.authority.certPem },
    { PRESTO_TOKEN: "token-of-the-tests" },
  );
});

afterEach(async () => {
  for (const caller of callers.splice(0)) caller.close();
  await stage.close();
  await presto.close();
});

async function start(more: Record<string, string> = {}, nodeArgs: readonly string[] = []): Promise<void> {
  sidecar = stage.start(more, { nodeArgs });
  await stage.ready();
}

async function call(bytes: string): Promise<RawCaller> {
  const caller = await openRawCaller({ path: stage.at("proxy") });
  callers.push(caller);
  caller.send(bytes);
  return caller;
}

function lines(): readonly Record<string, unknown>[] {
  return sidecar
    .out()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => Object.fromEntries(Object.entries(JSON.parse(line))));
}

/** Sorted by the operation's name. */
const callLines = (): readonly unknown[] =>
  lines()
    .filter((line) => line["msg"] === "call")
    .toSorted((one, other) => String(one["operation"]).localeCompare(String(other["operation"])))
    .map(({ level, operation, outcome, cut_off }) => [level, operation, outcome, cut_off]);

const cutOff = [
  ["error", "wallet.confirm", "unknown", true],
  ["error", "wallet.init", "not-sent", true],
  ["error", "wallet.transaction", "unknown", true],
];

/** One call that Presto has, one whose body is still coming, and one whose caller has gone. */
async function keepBusy(): Promise<{ readonly confirm: RawCaller; readonly slow: RawCaller }> {
  const confirm = await call(confirmCall("A"));
  await presto.holds(1);
  const slow = await call(postCall(walletPaths.init, "x".repeat(1_000)).slice(0, -1));
  await call(queryCall("B"));
  await presto.holds(2);
  return { confirm, slow };
}

it.each(["SIGTERM", "SIGINT"] as const)(
  "a second %s tells the callers and the log what is known of each call",
  async (signal) => {
    await start();
    const { confirm, slow } = await keepBusy();
    sidecar.child.kill(signal);
    await expect.poll(() => sidecar.out()).toContain("The sidecar drains.");
    sidecar.child.kill(signal);
    expect(await sidecar.ended).toBe(signal === "SIGTERM" ? 143 : 130);
    expect((await confirm.answers(1))[0]).toMatchObject({
      status: 504,
      headers: { "presto-outcome": "unknown" },
    });
    expect((await slow.answers(1))[0]).toMatchObject({
      status: 503,
      headers: { "presto-outcome": "not-sent" },
    });
    expect(callLines()).toEqual(cutOff);
  },
);

it("what PRESTO_DRAIN_MAX cuts off has its lines too, and so has what POST /quit ends", async () => {
  await start({ PRESTO_DRAIN_MAX: "1s" });
  await keepBusy();
  expect((await stage.run(["quit"], { PRESTO_DRAIN_MAX: "1s" })).code).toBeDefined();
  await sidecar.ended;
  expect(callLines()).toEqual(cutOff);
});

it("a confirm whose caller has gone is told of as well", async () => {
  await start();
  const confirm = await call(confirmCall("A"));
  await presto.holds(1);
  confirm.close();
  await expect.poll(() => presto.waiting.length).toBe(1);
  sidecar.child.kill("SIGTERM");
  await expect.poll(() => sidecar.out()).toContain("The sidecar drains.");
  sidecar.child.kill("SIGTERM");
  expect(await sidecar.ended).toBe(143);
  expect(callLines()).toEqual([["error", "wallet.confirm", "unknown", true]]);
});

it("a defect that ends the process does not end it without a word", async () => {
  const fault = stage.at("fault.cjs");
  writeFileSync(
    fault,
    `process.on("SIGUSR2", () => setImmediate(() => { throw new TypeError("MARKED"); }));`,
  );
  await start({}, ["--require", fault]);
  const { confirm } = await keepBusy();
  sidecar.child.kill("SIGUSR2");
  expect(await sidecar.ended).toBe(1);
  expect((await confirm.answers(1))[0]).toMatchObject({
    status: 504,
    headers: { "presto-outcome": "unknown" },
  });
  expect(callLines()).toEqual(cutOff);
  expect(lines().some(({ level, msg }) => level === "error" && String(msg).includes("TypeError"))).toBe(true);
  expect(sidecar.out() + sidecar.err()).not.toContain("MARKED");
});

it("a start that fails is one line of the log as well", async () => {
  sidecar = stage.start({ PRESTO_CA_FILE: "/dev/zero" });
  expect(await sidecar.ended).toBe(78);
  expect(lines()).toEqual([
    expect.objectContaining({
      level: "fatal",
      exit_code: 78,
      msg: expect.stringContaining("/dev/zero is not a regular file"),
    }),
  ]);
  expect(sidecar.err()).toContain("/dev/zero is not a regular file");
});
