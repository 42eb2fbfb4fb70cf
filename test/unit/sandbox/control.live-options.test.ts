import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../../src/sandbox/server.ts";
import { call, control, prefix } from "./client.ts";

const path = `${prefix}/wallet/transaction/TRX000000000`;

describe("settings", () => {
  let sandbox: Sandbox;
  beforeEach(async () => {
    sandbox = createSandbox();
    await sandbox.start();
  });
  afterEach(() => sandbox.close());

  it("POST /settings changes what it names, and null takes a limit away", async () => {
    const rate = { requests: 5, perMs: 1000, retryAfter: true };
    const changed = await control(sandbox, "POST", "/settings", {
      allowedAddresses: ["127.0.0.2"],
      rate: { requests: 5, perMs: 1000 },
    });
    const expected = {
      allowedAddresses: ["127.0.0.2"],
      unregistered: "json",
      rate,
      resetRevokesToken: false,
    };
    expect(changed.json).toEqual(expected);
    expect((await control(sandbox, "GET", "/settings")).json).toEqual(expected);
    expect((await call(sandbox, path)).status).toBe(403);
    await control(sandbox, "POST", "/settings", { allowedAddresses: null, rate: null });
    expect((await call(sandbox, path)).status).toBe(404);
  });

  it.each([
    ["allowedAddresses", { allowedAddresses: "127.0.0.1" }],
    ["allowedAddresses", { allowedAddresses: ["localhost"] }],
    ["unregistered", { unregistered: "blank" }],
    ["rate", { rate: { requests: 0, perMs: 1000 } }],
    ["rate", { rate: { requests: 1 } }],
    ["rate", { rate: { requests: 1, perMs: 1, perSecond: 1 } }],
    ["resetRevokesToken", { resetRevokesToken: "yes" }],
    ["password", { password: "x" }],
    ["settings", []],
  ])("a bad setting is 422 and changes nothing: %s %o", async (field, body) => {
    const before = sandbox.settings();
    const { status, json } = await control(sandbox, "POST", "/settings", body);
    expect([status, Object.keys(json.errors)]).toEqual([422, [field]]);
    expect(sandbox.settings()).toEqual(before);
  });
});
