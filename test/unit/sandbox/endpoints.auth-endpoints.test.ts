import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../../src/sandbox/server.ts";
import { call, init, prefix } from "./client.ts";

const midday = Date.parse("2026-03-10T12:00:00Z");
const issuePath = `${prefix}/auth/token/issue`;
const resetPath = `${prefix}/auth/password/reset`;

describe("auth endpoints", () => {
  let sandbox: Sandbox;
  let now: number;
  beforeEach(async () => {
    now = midday;
    sandbox = createSandbox({ now: () => now });
    await sandbox.start();
  });
  afterEach(() => sandbox.close());

  const form = (changes: object = {}) => ({
    ...sandbox.account,
    token_name: "till",
    token_expiration_date: "2026-03-12",
    ...changes,
  });
  const issue = (changes: object = {}) =>
    call(sandbox, issuePath, { body: form(changes), headers: { authorization: "none" } });
  const probe = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    return (await call(sandbox, `${prefix}/wallet/transaction/TRX000000000`, { headers })).status;
  };

  it("an issue needs no token, and answers with the new one in the documented shape", async () => {
    const answer = await issue();
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      data: {
        token: sandbox.token,
        token_name: "till",
        expiration_date: "2026-03-12T00:00:00+00:00",
        created_at: "2026-03-10T12:00:00+00:00",
      },
    });
    expect(await probe(answer.json.data.token)).toBe(404);
  });

  it("an issue kills every earlier token at once", async () => {
    const first = sandbox.token;
    expect(await probe(first)).toBe(404);
    const second = (await issue()).json.data.token;
    expect(await probe(first)).toBe(401);
    await issue();
    expect(await probe(second)).toBe(401);
    expect(sandbox.state().tokens.map(({ live }) => live)).toEqual([false, false, true]);
  });

  it("a token dies at 00:00 UTC of its date", async () => {
    const { token } = (await issue()).json.data;
    now = Date.parse("2026-03-12T00:00:00Z") - 1;
    expect(await probe(token)).toBe(404);
    now += 1;
    expect(await probe(token)).toBe(401);
  });

  it.each([
    ["a wrong password", { password: "Wrong-Passw0rd!" }],
    ["an unknown e-mail", { email: "other@sandbox.example" }],
  ])("%s is 401 and revokes nothing", async (_, changes) => {
    const answer = await issue(changes);
    expect(answer.status).toBe(401);
    expect(answer.json).toEqual({ message: "Invalid email or password" });
    expect(await probe(sandbox.token)).toBe(404);
    expect(sandbox.state().tokens).toHaveLength(1);
  });

  it.each([
    ["email", { email: undefined }],
    ["email", { email: "no address" }],
    ["password", { password: "" }],
    ["token_name", { token_name: 7 }],
    ["token_name", { token_name: "x".repeat(256) }],
    ["token_expiration_date", { token_expiration_date: undefined }],
    ["token_expiration_date", { token_expiration_date: "12.03.2026" }],
    ["token_expiration_date", { token_expiration_date: "2026-02-30" }],
    ["token_expiration_date", { token_expiration_date: "2026-13-01" }],
    ["token_expiration_date", { token_expiration_date: "2026-03-10" }],
    ["token_expiration_date", { token_expiration_date: "2026-03-09" }],
  ])("bad %s is 422 and revokes nothing: %o", async (field, changes) => {
    const answer = await issue(changes);
    expect(answer.status).toBe(422);
    expect(Object.keys(answer.json.errors)).toEqual([field]);
    expect(answer.json.message).toBe(answer.json.errors[field][0]);
    expect(await probe(sandbox.token)).toBe(404);
  });

  it("a body that is not a JSON object is 422", async () => {
    for (const body of ["{", "[]", "null", '"text"']) {
      expect((await call(sandbox, issuePath, { body })).status).toBe(422);
    }
    const headers = { "content-type": "text/plain" };
    expect((await call(sandbox, issuePath, { body: JSON.stringify(form()), headers })).status).toBe(422);
  });

  const reset = (changes: object = {}) => {
    const { email, password } = sandbox.account;
    const body = { email, current_password: password, new_password: "Next-Passw0rd?", ...changes };
    return call(sandbox, resetPath, { body, headers: { authorization: "none" } });
  };

  it("after a password reset the new password counts and the old one doesn't; the token lives", async () => {
    const answer = await reset();
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      message: expect.any(String),
      data: { updated_at: "2026-03-10T12:00:00+00:00" },
    });
    expect(await probe(sandbox.token)).toBe(404);
    expect((await issue()).status).toBe(401);
    expect((await issue({ password: "Next-Passw0rd?" })).status).toBe(200);
  });

  it("a password reset kills the token where that is asked for", async () => {
    sandbox.configure({ resetRevokesToken: true });
    await reset();
    expect(await probe(sandbox.token)).toBe(401);
  });

  it("a wrong current password is 401 and changes nothing", async () => {
    const answer = await reset({ current_password: "Wrong-Passw0rd!" });
    expect(answer.status).toBe(401);
    expect(answer.json).toEqual({ message: "Invalid email or current password" });
    expect((await issue()).status).toBe(200);
  });

  it.each(["Sh0rt-!", "no-upper-c4se", "NO-LOWER-C4SE", "No-Digit-Here", "N0SpecialHere"])(
    "the new password %s is 422",
    async (password) => {
      const answer = await reset({ new_password: password });
      expect(answer.status).toBe(422);
      expect(answer.json.message).toMatch(/^The new password field must /);
    },
  );

  it("the token is looked at before anything else", async () => {
    const before = await init(sandbox);
    for (const authorization of ["Bearer wrong", `Basic ${sandbox.token}`, "Bearer ", sandbox.token]) {
      for (const path of [`${prefix}/wallet/init`, `${prefix}/wallet/transaction/${before}`, "/nowhere"]) {
        const answer = await call(sandbox, path, { body: "{", headers: { authorization } });
        expect(answer.status).toBe(401);
        expect(answer.json).toEqual({ message: "Unauthenticated." });
      }
    }
    expect((await call(sandbox, "/nowhere")).json).toEqual({ message: "Not Found" });
  });

  it("a path with another method is 405 and names the right one", async () => {
    const answer = await call(sandbox, issuePath);
    expect(answer.status).toBe(405);
    expect(answer.headers.allow).toBe("POST");
  });

  it("a token that was given is the first one, and neither it nor the password is in the state", async () => {
    await using marked = createSandbox({ token: "marked-token", password: "Marked-Passw0rd!" });
    await marked.start();
    expect(
      (
        await call(marked, `${prefix}/wallet/transaction/TRX1`, {
          headers: { authorization: "Bearer marked-token" },
        })
      ).status,
    ).toBe(404);
    expect(JSON.stringify(marked.state())).not.toMatch(/marked/i);
  });
});
