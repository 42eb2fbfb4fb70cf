import { afterEach, describe, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { createAuthority } from "../../src/sandbox/certificates.ts";
import { createSandbox } from "../../src/sandbox/server.ts";
import type { Sandbox } from "../../src/sandbox/server.ts";
import { Secret } from "../../src/secret.ts";
import { createToken } from "../../src/token/token.ts";
import { openEgressStage, KeptBack } from "../support/egress-stage.ts";
import type { EgressStage } from "../support/egress-stage.ts";
import { plainCall } from "../support/plain-call.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { until } from "../support/until.ts";

const home = "203.0.113.7";
const strange = "198.51.100.9";
/** What a call for a transaction that does not exist is answered with. */
const notFound = 404;
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

interface World {
  readonly sandbox: Sandbox;
  readonly urls: readonly RawPresto[];
  readonly stage: EgressStage;
  /** The address behind which we come, as Presto and the check URLs see it. */
  move(address: string): void;
  /** One call with the live token: its status, or what it failed with. */
  call(): Promise<number | Error>;
}

async function openWorld(unregistered: "json" | "html" | "reset", checkUrls = 2): Promise<World> {
  const authority = await createAuthority();
  const sandbox = createSandbox({ authority, unregistered });
  await sandbox.start();
  closing.push(() => sandbox.close());
  const urls = await Promise.all(Array.from({ length: checkUrls }, () => startRawPresto({ authority })));
  for (const url of urls) closing.push(() => url.close());
  const move = (address: string): void => {
    // Everything is on loopback: who is let in stands for where we come from.
    sandbox.configure({ allowedAddresses: address === home ? undefined : ["192.0.2.200"] });
    for (const url of urls) url.answer(({ socket }) => void socket.write(httpAnswer(200, address, [])));
  };
  move(home);
  const stage = await openEgressStage({
    sandbox,
    caPem: authority.certPem,
    ips: [home],
    urls: urls.map(({ url }) => url).join(","),
    pins: [sandbox.spkiPin],
  });
  closing.push(() => stage.close());
  const token = createToken(new Secret(sandbox.token), 1);
  return {
    sandbox,
    urls,
    stage,
    move,
    async call() {
      const call = plainCall(systemClock.monotonic(), 20_000);
      try {
        return (await stage.send(call, token)).status;
      } catch (error) {
        if (error instanceof Error) return error;
        throw error;
      }
    },
  };
}

describe.each(["json", "html", "reset"] as const)("where a strange address meets %s", (unregistered) => {
  it("calls are kept back once it changes under 32 callers, and leave again once it is mended", async () => {
    const { stage, move, call, sandbox, urls } = await openWorld(unregistered);
    await stage.check.start();
    expect(stage.check.report()).toMatchObject({ addresses: [home], registered: true });
    let running = true;
    closing.push(async () => void (running = false));
    let letIn = 0;
    let turnedAway = 0;
    const callers = Array.from({ length: 32 }, async () => {
      while (running) {
        const end = await call();
        if (end === notFound) letIn += 1;
        else if (end instanceof KeptBack) await systemClock.sleep(5);
        else turnedAway += 1;
      }
    });
    await until(() => (letIn >= 500 ? true : undefined), { withinMs: 30_000, what: "500 answers" });
    expect(turnedAway).toBe(0);
    const movedAt = performance.now();
    move(strange);
    await until(() => (stage.check.mayLeave() ? undefined : true), {
      withinMs: 30_000,
      everyMs: 1,
      what: () => `the latch closed: ${JSON.stringify(stage.check.report())}`,
    });
    const took = (stage.closedAt() ?? Number.POSITIVE_INFINITY) - movedAt;
    expect(stage.check.report()).toMatchObject({ verdict: "not-registered", registered: false });
    expect(await call()).toBeInstanceOf(KeptBack);
    process.stdout.write(
      `${unregistered}: kept back after ${took.toFixed(0)} ms, ${turnedAway} calls had gone out from the wrong address\n`,
    );
    expect(took).toBeLessThan(15_000);
    move(home);
    await until(() => (stage.check.mayLeave() ? true : undefined), {
      withinMs: 30_000,
      what: "the latch opened",
    });
    running = false;
    await Promise.all(callers);
    expect(stage.latch.at(-1)).toBeUndefined();
    // The token went to Presto alone, and no knock at its door had one.
    for (const url of urls) for (const wire of url.wire()) expect(wire.includes(sandbox.token)).toBe(false);
    const knocks = sandbox.received().filter(({ rawHeaders }) => !rawHeaders.includes("authorization"));
    expect(knocks.every(({ method }) => method === "GET")).toBe(true);
  });
});

describe("a stranger's page", () => {
  it("that lies alone stops no call, and Presto is asked at its door", async () => {
    const { stage, urls, call, sandbox } = await openWorld("json");
    urls[0]?.answer(({ socket }) => void socket.write(httpAnswer(200, strange, [])));
    await stage.check.start();
    expect(stage.check.mayLeave()).toBe(true);
    expect(sandbox.received().map(({ method, target }) => `${method} ${target}`)).toEqual([
      "GET /api/institutions/v1/wallet/transaction/TRX000000000",
    ]);
    const fields = sandbox.received().flatMap(({ rawHeaders }) => rawHeaders.filter((_, at) => at % 2 === 0));
    expect(fields.map((field) => field.toLowerCase())).not.toContain("authorization");
    expect(await call()).not.toBeInstanceOf(Error);
    expect(stage.latch).toEqual([]);
  });

  it("and another that lies with it are overruled by Presto's application", async () => {
    const { stage, urls, call } = await openWorld("json");
    for (const url of urls) url.answer(({ socket }) => void socket.write(httpAnswer(200, strange, [])));
    await stage.check.start();
    expect(stage.check.mayLeave()).toBe(true);
    expect(await call()).not.toBeInstanceOf(Error);
  });

  it("that is down stops no call, while Presto turns them away", async () => {
    const { stage, urls, sandbox, call } = await openWorld("json");
    for (const url of urls) await url.close();
    sandbox.configure({ allowedAddresses: ["192.0.2.200"] });
    await stage.check.start();
    for (let times = 0; times < 10; times += 1) expect(await call()).toBe(403);
    expect(stage.check.mayLeave()).toBe(true);
    expect(stage.check.report()).toMatchObject({ registered: null, verdict: "not-registered" });
  });
});
