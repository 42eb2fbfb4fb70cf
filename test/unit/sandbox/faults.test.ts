import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../../src/sandbox/server.ts";
import { call, confirm, init, prefix } from "./client.ts";

const confirmPath = `${prefix}/wallet/confirm`;

describe("a fault", () => {
  let sandbox: Sandbox;
  let reference: string;
  beforeEach(async () => {
    sandbox = createSandbox();
    await sandbox.start();
    reference = await init(sandbox);
  });
  afterEach(() => sandbox.close());

  it("strikes only the method and path that it names", async () => {
    sandbox.setFault({ kind: "status", status: 500, method: "POST", path: confirmPath });
    const show = `${prefix}/wallet/transaction/${reference}`;
    expect((await call(sandbox, show)).status).toBe(200);
    expect((await call(sandbox, confirmPath)).status).toBe(405);
    expect((await confirm(sandbox, reference)).status).toBe(500);
    sandbox.setFault({ kind: "status", status: 418, path: `${prefix}/wallet/transaction/*` });
    expect((await call(sandbox, `${show}?a=b`)).status).toBe(418);
    expect((await call(sandbox, `${prefix}/wallet/transactions`)).status).toBe(404);
  });

  it("strikes only the request id that it names", async () => {
    sandbox.setFault({ kind: "status", status: 500, requestId: "one" });
    const show = `${prefix}/wallet/transaction/${reference}`;
    const named = (id: string) => call(sandbox, show, { headers: { "x-request-id": id } });
    expect((await named("one")).status).toBe(500);
    expect((await named("one-more")).status).toBe(200);
    expect((await call(sandbox, show)).status).toBe(200);
  });

  it("may have what it answers executed later", async () => {
    const moved = () => sandbox.state().confirms[reference] ?? 0;
    sandbox.setFault({
      kind: "status",
      status: 504,
      path: confirmPath,
      acts: true,
      actsAfterMs: 30,
      times: 1,
    });
    expect((await confirm(sandbox, reference)).status).toBe(504);
    expect(moved()).toBe(0);
    await expect.poll(() => moved()).toBe(1);
  });

  it("strikes the next N, then no more; without N until it is removed; the one set first goes first", async () => {
    const lasting = sandbox.setFault({ kind: "status", status: 500 });
    sandbox.setFault({ kind: "status", status: 503, times: 2 });
    const statuses = async (count: number) => {
      const found: number[] = [];
      while (found.length < count)
        found.push((await call(sandbox, `${prefix}/wallet/transaction/${reference}`)).status);
      return found;
    };
    expect(await statuses(3)).toEqual([500, 500, 500]);
    lasting.remove();
    expect(await statuses(3)).toEqual([503, 503, 200]);
    expect(sandbox.state().faults).toEqual([]);
  });

  it.each([
    [{ kind: "slow-head", ms: -1 }, /ms must be a whole number from 0 to 600000/],
    [{ kind: "status", status: 200 }, /status must be a whole number from 400 to 599/],
    [{ kind: "answer", status: 200, headers: { "a b": "c" } }, /headers must be/],
    [{ kind: "half-answer", path: "confirm" }, /path must be a path that begins with \//],
    [{ kind: "half-answer", times: 0 }, /times must be a whole number from 1 on/],
  ] as const)("a bad one is refused: %o", (fault, message) => {
    expect(() => sandbox.setFault(fault)).toThrow(message);
    expect(sandbox.state().faults).toEqual([]);
  });
});
