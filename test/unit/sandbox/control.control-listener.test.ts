import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { controlVerbs } from "../../../src/sandbox/control.ts";
import { faultKinds } from "../../../src/sandbox/fault-kinds.ts";
import { createSandbox, type Sandbox } from "../../../src/sandbox/server.ts";
import { call, confirm, control, init, prefix } from "./client.ts";

const path = `${prefix}/wallet/transaction/TRX000000000`;

describe("the control endpoint", () => {
  let sandbox: Sandbox;
  beforeEach(async () => {
    sandbox = createSandbox({ now: () => Date.parse("2026-03-10T12:00:00Z") });
    await sandbox.start();
  });
  afterEach(() => sandbox.close());

  it("GET / lists every verb and every kind of fault", async () => {
    const { status, json } = await control(sandbox, "GET", "/");
    expect(status).toBe(200);
    expect(json.verbs.map((verb: { method: string; path: string }) => `${verb.method} ${verb.path}`)).toEqual(
      controlVerbs.map((verb) => `${verb.method} ${verb.path}`),
    );
    expect(json.faults).toEqual(faultKinds);
  });

  it("every example of a body is taken", async () => {
    const examples = controlVerbs.filter(({ example }) => example !== undefined);
    expect(examples.length).toBeGreaterThan(2);
    for (const { method, path, example } of examples) {
      expect((await control(sandbox, method, path, example)).status).toBeLessThan(300);
    }
  });

  it("GET /state shows what happened, tokens only as fingerprints", async () => {
    const reference = await init(sandbox);
    await confirm(sandbox, reference);
    const { json, text } = await control(sandbox, "GET", "/state");
    expect(json).toMatchObject({
      time: "2026-03-10T12:00:00+00:00",
      transactions: [
        {
          transaction_reference: reference,
          status: "completed",
          amount: "10.500",
          currency: "LYD",
          confirms: 1,
        },
      ],
      confirms: { [reference]: 1 },
      requests: { [`POST ${prefix}/wallet/init`]: 1, [`POST ${prefix}/wallet/confirm`]: 1 },
      connections: 2,
      malformed: 0,
      tokens: [{ fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/), live: true }],
    });
    expect(text).not.toContain(sandbox.token);
    expect(text).not.toContain(sandbox.account.password);
  });

  it("POST /faults sets a fault, GET lists it, DELETE takes it away", async () => {
    const fault = { kind: "status", status: 503, times: 5 };
    const set = await control(sandbox, "POST", "/faults", fault);
    expect([set.status, set.json]).toEqual([201, { id: 1, fault }]);
    expect((await call(sandbox, path)).status).toBe(503);
    expect((await control(sandbox, "GET", "/faults")).json).toEqual({
      faults: [{ id: 1, fault, struck: 1 }],
    });
    expect((await control(sandbox, "DELETE", "/faults/1")).json).toEqual({ faults: [] });
    expect((await call(sandbox, path)).status).toBe(404);
    expect((await control(sandbox, "DELETE", "/faults/1")).status).toBe(404);
  });

  it("DELETE /faults takes all away", async () => {
    await control(sandbox, "POST", "/faults", { kind: "half-answer" });
    await control(sandbox, "POST", "/faults", { kind: "reset-at-connect" });
    expect((await control(sandbox, "DELETE", "/faults")).status).toBe(200);
    expect((await call(sandbox, path)).status).toBe(404);
  });

  it.each(Object.keys(faultKinds))(
    "%s can be set by its documented fields, and has no other",
    async (kind) => {
      const values: Record<string, unknown> = {
        certificate: "expired",
        ms: 1,
        status: 500,
        message: "m",
        retryAfter: 1,
        headers: {},
        body: "b",
        acts: true,
        actsAfterMs: 1,
      };
      const { fields, strikes } = faultKinds[kind as keyof typeof faultKinds];
      const own = Object.fromEntries(Object.keys(fields).map((field) => [field, values[field]]));
      const match = strikes === "request" ? { method: "GET", path: "/a*", requestId: "a.1" } : {};
      const fault = { kind, times: 1, ...own, ...match };
      const set = await control(sandbox, "POST", "/faults", fault);
      expect([set.status, set.json.fault]).toEqual([201, fault]);
      const refused = await control(sandbox, "POST", "/faults", { ...fault, other: 1 });
      expect([refused.status, Object.keys(refused.json.errors)]).toEqual([422, ["other"]]);
    },
  );

  it("a bad fault is 422 and says everything that is wrong with it", async () => {
    const bad = {
      kind: "status",
      status: "500",
      times: 1.5,
      method: "post",
      path: "a?b",
      requestId: "a b",
      acts: 1,
      retryAfter: -1,
      message: 1,
    };
    const { status, json } = await control(sandbox, "POST", "/faults", bad);
    expect(status).toBe(422);
    expect(Object.keys(json.errors).toSorted()).toEqual([
      "acts",
      "message",
      "method",
      "path",
      "requestId",
      "retryAfter",
      "status",
      "times",
    ]);
    expect((await control(sandbox, "POST", "/faults", { kind: "reset" })).json.message).toMatch(
      /^kind must be one of reset-at-connect, /,
    );
    expect((await control(sandbox, "POST", "/faults")).status).toBe(422);
    expect(
      (await control(sandbox, "POST", "/faults", { kind: "wrong-certificate", certificate: "blue" })).status,
    ).toBe(422);
  });

  it("POST /revoke kills the live token", async () => {
    const [token] = sandbox.state().tokens;
    expect((await control(sandbox, "POST", "/revoke")).json).toEqual({ revoked: token?.fingerprint });
    expect((await call(sandbox, path)).status).toBe(401);
    expect((await control(sandbox, "POST", "/revoke")).json).toEqual({ revoked: null });
  });

  it("POST /token makes a token and kills the earlier one", async () => {
    const earlier = sandbox.token;
    const body = { token_name: "mine", token_expiration_date: "2026-03-11" };
    const { status, json } = await control(sandbox, "POST", "/token", body);
    expect([status, json]).toEqual([
      201,
      {
        data: {
          token: sandbox.token,
          token_name: "mine",
          expiration_date: "2026-03-11T00:00:00+00:00",
          created_at: "2026-03-10T12:00:00+00:00",
        },
      },
    ]);
    expect(sandbox.token).not.toBe(earlier);
    expect((await call(sandbox, path)).status).toBe(404);
    expect((await call(sandbox, path, { headers: { authorization: `Bearer ${earlier}` } })).status).toBe(401);
  });

  it("POST /token needs no body, and answers with bare text if asked to", async () => {
    const { text } = await control(sandbox, "POST", "/token", undefined, { accept: "text/plain" });
    expect(text).toBe(`${sandbox.token}\n`);
    expect(sandbox.state().tokens.at(-1)?.expiration_date).toBe("2026-06-09T00:00:00+00:00");
  });

  it("POST /token refuses a bad date, and kills nothing then", async () => {
    for (const body of [
      { token_expiration_date: "2026-03-10" },
      { token_expiration_date: 5 },
      { token_name: 5 },
      [],
    ]) {
      expect((await control(sandbox, "POST", "/token", body)).status).toBe(422);
    }
    expect((await call(sandbox, path)).status).toBe(404);
  });

  it("POST /reset puts everything back to the start", async () => {
    const token = sandbox.token;
    const reference = await init(sandbox);
    await control(sandbox, "POST", "/token");
    await control(sandbox, "POST", "/settings", {
      rate: { requests: 1, perMs: 1000 },
      resetRevokesToken: true,
    });
    sandbox.setFault({ kind: "half-answer" });
    expect((await control(sandbox, "POST", "/reset")).status).toBe(200);
    expect(sandbox.token).toBe(token);
    expect(sandbox.state()).toMatchObject({
      transactions: [],
      confirms: {},
      requests: {},
      connections: 0,
      faults: [],
    });
    expect(sandbox.settings()).toEqual({
      allowedAddresses: undefined,
      unregistered: "json",
      rate: undefined,
      resetRevokesToken: false,
    });
    expect((await call(sandbox, `${prefix}/wallet/transaction/${reference}`)).status).toBe(404);
    expect(await init(sandbox)).not.toBe(reference);
  });

  it("a body that is not JSON is 400, another path 404, another method 405", async () => {
    expect((await control(sandbox, "POST", "/faults", "{")).status).toBe(400);
    expect((await control(sandbox, "GET", "/nothing")).status).toBe(404);
    const wrong = await control(sandbox, "GET", "/reset");
    expect([wrong.status, wrong.headers.allow]).toEqual([405, "POST"]);
    expect((await control(sandbox, "PUT", "/faults")).headers.allow).toBe("GET, POST, DELETE");
  });

  it("no web page can steer it", async () => {
    for (const headers of [{ origin: "https://elsewhere.example" }, { host: "elsewhere.example" }]) {
      expect((await control(sandbox, "POST", "/revoke", undefined, headers)).status).toBe(403);
    }
    expect((await call(sandbox, path)).status).toBe(404);
  });
});
