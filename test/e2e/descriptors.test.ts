import { spawnSync } from "node:child_process";

import { afterEach, beforeEach, expect, it } from "vitest";

import { echo } from "../support/held-presto.ts";
import { expectProblem } from "../support/problem-reply.ts";
import { openProgramStage, type ProgramStage } from "../support/program-stage.ts";
import { exchange, openRawCaller } from "../support/raw-caller.ts";
import type { RawCaller } from "../support/raw-caller.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { confirmCall, getCall, nextConfirmCall, queryCall } from "../support/wallet-call.ts";
import type { WatchedCli } from "../support/watched-cli.ts";

let presto: RawPresto;
let stage: ProgramStage;
let sidecar: WatchedCli;
const callers: RawCaller[] = [];

beforeEach(async () => {
  presto = await startRawPresto();
  presto.answer((request) => void request.socket.write(echo(request)));
  stage = await openProgramStage(
    { url: presto.url, caPem: presto.authority.certPem },
    { PRESTO_TOKEN: "token-of-the-tests", PRESTO_CONTROL_LISTEN: "off" },
  );
  sidecar = stage.start(
    {},
    { node: "/bin/sh", nodeArgs: ["-c", 'ulimit -n 160; exec "$@"', "sh", process.execPath] },
  );
  await stage.ready();
});

afterEach(async () => {
  for (const caller of callers.splice(0)) caller.close();
  await stage.close();
  await presto.close();
});

it("callers that take more connections than there are descriptors are told of, and the others served", async () => {
  const path = stage.at("proxy");
  for (let index = 0; index < 200; index += 1) callers.push(await openRawCaller({ path }));
  const first = callers[0];
  first?.send(confirmCall("A"));
  expect((await first?.answers(1))?.[0]?.status).toBe(200);
  const refused = callers.slice(48);
  for (const caller of refused) await caller.ended();
  const metrics = await exchange({ path: stage.at("admin") }, getCall("/metrics", "Connection: close"));
  expect(metrics.body).toContain("presto_sidecar_refused_connections_total 152\n");
  await expect.poll(() => sidecar.out().match(/connections were closed without a reply/g)).toHaveLength(1);
  // Each of those that were let in has a connection to Presto as well, if it calls.
  for (const [index, caller] of callers.slice(0, 48).entries()) caller.send(queryCall(`T${index}`));
  for (const caller of callers.slice(1, 48)) expect((await caller.answers(1))[0]?.status).toBe(200);
  expect(sidecar.out()).not.toContain("No connection to Presto");
});

it("whoever floods the admin listener takes no descriptor from callers, and keeps no probe out", async () => {
  const [path, admin] = [stage.at("proxy"), stage.at("admin")];
  for (let index = 0; index < 200; index += 1) callers.push(await openRawCaller({ path: admin }));
  const served: RawCaller[] = [];
  for (let index = 0; index < 48; index += 1) served.push(await openRawCaller({ path }));
  callers.push(...served);
  for (const [index, caller] of served.entries()) caller.send(queryCall(`T${index}`));
  for (const caller of served) expect((await caller.answers(1))[0]?.status).toBe(200);
  expect((await exchange({ path: admin }, getCall("/livez", "Connection: close"))).status).toBe(200);
  expect(sidecar.out()).not.toContain("connections were closed without a reply");
  expect(sidecar.out()).not.toContain("No connection to Presto");
});

it("a call for whose connection there is no descriptor gets 503 overloaded, not-sent, and has its line", async () => {
  const path = stage.at("proxy");
  for (let index = 0; index < 24; index += 1) callers.push(await openRawCaller({ path }));
  // Each is let in before the rest is taken away.
  for (const caller of callers) caller.send(queryCall("BEFORE"));
  for (const caller of callers) expect((await caller.answers(1))[0]?.status).toBe(200);
  presto.answer(({ socket }) => void setTimeout(() => socket.destroy(), 100));
  for (const caller of callers) caller.send(queryCall("ENDS"));
  for (const caller of callers) await caller.answers(2);
  presto.answer((request) => void request.socket.write(echo(request)));
  const took = spawnSync("prlimit", [`--pid=${sidecar.child.pid}`, "--nofile=8:160"]);
  expect([took.status, String(took.stderr)]).toEqual([0, ""]);
  const before = presto.requests.length;
  for (const caller of callers) caller.send(nextConfirmCall());
  const answers = await Promise.all(callers.map(async (caller) => (await caller.answers(3))[2]));
  const refused = answers.filter((answer) => answer?.status !== 200);
  expect(refused.length).toBeGreaterThan(0);
  for (const answer of refused)
    expectProblem(answer, {
      status: 503,
      code: "overloaded",
      outcome: "not-sent",
      proxyStatus: "connection_limit_reached",
      retryable: true,
      retryAfter: true,
    });
  expect(presto.requests.length - before).toBe(answers.length - refused.length);
  const lines = (): number => sidecar.out().match(/"code":"overloaded"/g)?.length ?? 0;
  await expect.poll(lines).toBe(refused.length);
});
