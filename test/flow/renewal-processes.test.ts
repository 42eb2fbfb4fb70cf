import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createIssuingBench } from "../support/issuing-bench.ts";
import type { IssuingBench } from "../support/issuing-bench.ts";
import type { IssuingProgram } from "../support/issuing-program.ts";
import { keepCalling } from "../support/keep-calling.ts";
import { eventually } from "../support/sidecar-load.ts";
import { startProgram } from "../support/source-program.ts";

let bench: IssuingBench;

beforeEach(async () => {
  bench = await createIssuingBench();
});
afterEach(() => bench.close());

const proxyOnly = { PRESTO_ROLE: "proxy", PRESTO_EMAIL: undefined, PRESTO_PASSWORD: undefined };
const rotatorOnly = { PRESTO_ROLE: "rotator", PRESTO_LISTEN: undefined };

async function statuses(...sidecars: readonly IssuingProgram[]): Promise<readonly number[]> {
  const answers = await Promise.all(sidecars.map((sidecar) => sidecar.call()));
  return answers.map(({ status }) => status);
}

const generation = async (): Promise<number> => (await bench.record()).generation;

describe("two sidecars of role all on one file", () => {
  it("make one issue call for a first token, and both serve with it", async () => {
    await bench.close();
    bench = await createIssuingBench({ stored: "none" });
    const both = await Promise.all([bench.serve(), bench.serve()]);
    await eventually(() => statuses(...both)).toEqual([200, 200]);
    expect(bench.issues()).toBe(1);
    expect(await generation()).toBe(1);
  });

  it("make one for each renewal, whoever is asked, and no caller of either sees it", async () => {
    const both = await Promise.all([bench.serve(), bench.serve()]);
    const callers = both.map(({ port }) => keepCalling({ port, callers: 8, thinkMs: 20 }));
    for (const [round, asked] of [both[0], both[1], both[0]].entries()) {
      expect(await asked?.renew()).toMatchObject({ status: 200 });
      expect(bench.issues()).toBe(round + 1);
      for (const { status } of both) await eventually(status).toMatchObject({ generation: round + 2 });
    }
    // Asked both at once: each for another token than the one that it sees.
    const replies = await Promise.all(both.map((sidecar) => sidecar.renew()));
    expect(replies.map(({ status }) => status)).toEqual([200, 200]);
    await Promise.all(callers.map((caller) => caller.stop()));
    const calls = callers.flatMap((caller) => caller.calls);
    expect(calls.length).toBeGreaterThan(100);
    expect(calls.filter(({ status }) => status !== 200)).toEqual([]);
    expect(bench.issues()).toBe((await generation()) - 1);
    expect((await bench.record()).unexplainedDeaths).toEqual([]);
  });

  it("make one for a token that was revoked, though both find it dead", async () => {
    const both = await Promise.all([bench.serve(), bench.serve()]);
    bench.sandbox.revokeToken();
    expect(await statuses(...both)).toEqual([200, 200]);
    await eventually(async () => (await bench.record()).intent).toBeNull();
    expect(bench.issues()).toBe(1);
    expect((await bench.record()).unexplainedDeaths).toHaveLength(1);
  });
});

describe("a rotator and a proxy on one file", () => {
  it("the proxy gets its first token, and follows each renewal without a failed call", async () => {
    await bench.close();
    bench = await createIssuingBench({ stored: "none" });
    const proxy = await bench.serve(proxyOnly);
    expect(await statuses(proxy)).toEqual([503]);
    const rotator = await bench.serve(rotatorOnly);
    await eventually(() => statuses(proxy)).toEqual([200]);
    const caller = keepCalling({ port: proxy.port, callers: 16, thinkMs: 20 });
    for (let round = 0; round < 2; round += 1) expect((await rotator.renew()).status).toBe(200);
    await caller.stop();
    expect(caller.calls.length).toBeGreaterThan(32);
    expect(caller.calls.filter(({ status }) => status !== 200)).toEqual([]);
    expect(bench.issues()).toBe(3);
    // It waits GRACE for the calls of others; so nearly no call of theirs meets a dead token.
    expect(proxy.log()).not.toContain('"sends":3');
  });

  it("a token that was revoked is replaced because of the rotator's own probes, and the proxy follows", async () => {
    await bench.serve({ ...rotatorOnly, PRESTO_PROBE_EVERY: "500ms" });
    const proxy = await bench.serve(proxyOnly);
    await eventually(() => statuses(proxy)).toEqual([200]);
    bench.sandbox.revokeToken();
    await expect.poll(bench.issues, { timeout: 40_000 }).toBe(1);
    await eventually(() => statuses(proxy)).toEqual([200]);
  });

  it("the proxy can't be asked to renew", async () => {
    const proxy = await bench.serve(proxyOnly);
    expect(await proxy.renew()).toMatchObject({
      status: 409,
      body: { code: "role-cannot-issue" },
    });
    expect(bench.issues()).toBe(0);
  });
});

describe("a command beside a sidecar", () => {
  it("that needs the lock says who holds it, and gives up with 75; a second sidecar waits for it", async () => {
    const hold = bench.sandbox.setFault({ kind: "hold", path: "/api/institutions/v1/auth/*" });
    // Its call is held while two programs start, and waits for them.
    const first = await bench.serve({ PRESTO_TIMEOUT: "100s" });
    const renewed = first.renew("?wait=5m");
    await eventually(bench.issues).toBe(1);
    const second = await bench.serve();
    const command = startProgram(["token", "issue", "--yes"], {
      env: bench.env({ PRESTO_CONTROL_LISTEN: "off" }),
    });
    expect(await command.ended).toBe(75);
    expect(command.output()).toContain(`Process ${first.pid} on `);
    hold.remove();
    expect(await renewed).toMatchObject({ status: 200, body: { generation: 2 } });
    await eventually(() => statuses(first, second)).toEqual([200, 200]);
    expect(bench.issues()).toBe(1);
  });
});
