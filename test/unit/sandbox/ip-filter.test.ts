import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../../src/sandbox/server.ts";
import { call, init, prefix } from "./client.ts";

const path = `${prefix}/wallet/transaction/TRX000000000`;

describe("the ip filter", () => {
  let sandbox: Sandbox;
  let now: number;
  beforeEach(async () => {
    now = Date.parse("2026-03-10T12:00:00Z");
    sandbox = createSandbox({ now: () => now });
    await sandbox.start();
  });
  afterEach(() => sandbox.close());

  it("without a list every address is let in", async () => {
    expect((await call(sandbox, path, { localAddress: "127.0.0.2" })).status).toBe(404);
  });

  it.each([
    ["an address", "127.0.0.2"],
    ["a CIDR", "127.0.0.2/31"],
  ])("only %s on the list is let in", async (_, entry) => {
    sandbox.configure({ allowedAddresses: [entry] });
    expect((await call(sandbox, path, { localAddress: "127.0.0.2" })).status).toBe(404);
    expect((await call(sandbox, path, { localAddress: "127.0.0.4" })).status).toBe(403);
  });

  it("another address sees a 403, a page, or a reset, whatever token it has, and nothing is executed", async () => {
    await init(sandbox);
    sandbox.configure({ allowedAddresses: ["127.0.0.2"] });
    const json = await call(sandbox, path);
    expect([json.status, json.json]).toEqual([403, { message: expect.any(String) }]);
    expect((await call(sandbox, path, { headers: { authorization: "none" } })).status).toBe(403);

    sandbox.configure({ unregistered: "html" });
    const html = await call(sandbox, path);
    expect([html.status, html.headers["content-type"]]).toEqual([403, "text/html; charset=utf-8"]);

    sandbox.configure({ unregistered: "reset" });
    await expect(call(sandbox, path)).rejects.toMatchObject({ code: "ECONNRESET" });
    expect((await call(sandbox, path, { localAddress: "127.0.0.2" })).status).toBe(404);
    expect(sandbox.state().transactions).toHaveLength(1);
  });

  it("a fault meant for requests that are let in is not used up by others", async () => {
    sandbox.configure({ allowedAddresses: ["127.0.0.2"] });
    sandbox.setFault({ kind: "status", status: 500, times: 1 });
    expect((await call(sandbox, path)).status).toBe(403);
    expect((await call(sandbox, path, { localAddress: "127.0.0.2" })).status).toBe(500);
    sandbox.configure({ unregistered: "reset" });
    sandbox.setFault({ kind: "wrong-certificate", certificate: "expired", times: 1 });
    await expect(call(sandbox, path)).rejects.toMatchObject({ code: "ECONNRESET" });
    const admitted = call(sandbox, path, { localAddress: "127.0.0.2" });
    await expect(admitted).rejects.toMatchObject({ code: "CERT_HAS_EXPIRED" });
  });

  it("an address that is none is refused, and nothing changes", () => {
    for (const entry of ["localhost", "127.0.0.0/33", "127.0.0.1/", "1.2.3.4/8/8", ""]) {
      expect(() => sandbox.configure({ allowedAddresses: [entry] })).toThrow(
        /is neither an IP address nor a CIDR/,
      );
    }
    expect(sandbox.settings().allowedAddresses).toBeUndefined();
  });

  it("more requests than the rate allows get 429 until the window is over", async () => {
    sandbox.configure({ rate: { requests: 2, perMs: 5000, retryAfter: true } });
    const statuses = [await call(sandbox, path), await call(sandbox, path), await call(sandbox, path)];
    expect(statuses.map(({ status }) => status)).toEqual([404, 404, 429]);
    expect(statuses[2]?.headers["retry-after"]).toBe("5");
    now += 4999;
    const late = await call(sandbox, path);
    expect([late.status, late.headers["retry-after"]]).toEqual([429, "1"]);
    now += 1;
    expect((await call(sandbox, path)).status).toBe(404);
  });

  it("a 429 need not say when to come again", async () => {
    sandbox.configure({ rate: { requests: 1, perMs: 5000, retryAfter: false } });
    await call(sandbox, path);
    const answer = await call(sandbox, path);
    expect([answer.status, answer.headers["retry-after"], answer.json]).toEqual([
      429,
      undefined,
      { message: "Too Many Attempts." },
    ]);
  });
});
