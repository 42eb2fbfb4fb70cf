import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import type { Issuer } from "../../src/presto/auth.ts";
import type { Fault } from "../../src/sandbox/fault-kinds.ts";
import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { Secret } from "../../src/secret.ts";
import { freeControl, openIssuer, requestFor } from "../support/own-calls.ts";

const path = "/api/institutions/v1/auth/token/issue";
let sandbox: Sandbox;
let issuer: Issuer;

beforeAll(async () => {
  sandbox = createSandbox();
  await sandbox.start();
  issuer = openIssuer({ port: sandbox.port, caPem: sandbox.caPem, connectTimeoutMs: 300 });
});
afterEach(() => sandbox.reset());
afterAll(() => sandbox.close());

const requests = (): number => sandbox.state().requests[`POST ${path}`] ?? 0;
const liveTokens = (): string[] =>
  sandbox
    .state()
    .tokens.filter(({ live }) => live)
    .map(({ fingerprint }) => fingerprint);
const firstLives = (): boolean => {
  const [first] = sandbox.state().tokens;
  return first?.live === true;
};

describe("an issue call", () => {
  it("brings the one token that lives, with what Presto says of it", async () => {
    const request = requestFor(sandbox.account);
    const end = await issuer.issueToken(request, freeControl());
    if (end.kind !== "issued") expect.fail(end.kind);
    const { issued } = end;
    expect(issued.token.reveal()).toBe(sandbox.token);
    expect(issued).toMatchObject({ name: "flow-test", expiresAt: request.expiresAt });
    expect(Math.abs(issued.issuedAt.getTime() - Date.now())).toBeLessThan(5_000);
    expect(liveTokens()).toEqual([issued.token.fingerprint()]);
  });

  it("carries JSON of the right length and no token, on a connection of its own that is closed after it", async () => {
    await issuer.issueToken(requestFor(sandbox.account), freeControl());
    await issuer.issueToken(requestFor(sandbox.account), freeControl());
    const sent = sandbox.received();
    expect(sent.map(({ method, target }) => `${method} ${target}`)).toEqual([`POST ${path}`, `POST ${path}`]);
    expect(new Set(sent.map(({ connection }) => connection)).size).toBe(2);
    for (const { rawHeaders, body } of sent) {
      const names = rawHeaders.filter((_part, index) => index % 2 === 0).map((name) => name.toLowerCase());
      expect(names.toSorted()).toEqual([
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "host",
      ]);
      expect(rawHeaders).toContain("application/json");
      expect(rawHeaders).toContain(String(body.length));
      expect(Object.keys(JSON.parse(body.toString()))).toEqual([
        "email",
        "password",
        "token_name",
        "token_expiration_date",
      ]);
    }
  });

  it("with a wrong password is refused, and revokes nothing", async () => {
    const wrong = requestFor({ ...sandbox.account, password: "Wrong-Passw0rd!" });
    const end = await issuer.issueToken(wrong, freeControl());
    expect(end).toEqual({
      kind: "refused",
      status: 401,
      detail: "Presto refused the e-mail or the password (401).",
    });
    expect(firstLives()).toBe(true);
  });

  it("with bad input is refused, names the fields, and revokes nothing", async () => {
    const request = { ...requestFor(sandbox.account), name: "n".repeat(300), expiresAt: new Date(0) };
    const end = await issuer.issueToken(request, freeControl());
    expect(end).toMatchObject({
      kind: "refused",
      status: 422,
      detail: "Presto refused what was asked for (422); it named: token_name, token_expiration_date.",
    });
    expect(firstLives()).toBe(true);
  });

  interface Row {
    readonly fault: Fault;
    readonly kind: "refused" | "not-sent" | "unclear";
    readonly code: string | undefined;
    /** Was it executed? */
    readonly acted: boolean;
    /** Heads that came: never more than one. */
    readonly seen?: number;
  }
  const unclear = (fault: Fault, code: string, acted: boolean): Row => ({
    fault,
    kind: "unclear",
    code,
    acted,
  });
  const notSent = (fault: Fault): Row => ({
    fault,
    kind: "not-sent",
    code: undefined,
    acted: false,
    seen: 0,
  });
  const rows: readonly Row[] = [
    {
      fault: { kind: "status", path, status: 429, retryAfter: 7 },
      kind: "refused",
      code: undefined,
      acted: false,
    },
    unclear({ kind: "status", path, status: 500 }, "unexpected-status", false),
    unclear({ kind: "status", path, status: 503, retryAfter: 1 }, "unexpected-status", false),
    unclear({ kind: "status", path, status: 500, acts: true }, "unexpected-status", true),
    unclear({ kind: "status", path, status: 403 }, "unexpected-status", false),
    unclear({ kind: "html", path }, "unexpected-status", false),
    unclear({ kind: "html", path, status: 401 }, "unexpected-status", false),
    unclear({ kind: "html", path, status: 429, acts: true }, "unexpected-status", true),
    unclear({ kind: "html", path, status: 200, acts: true }, "not-json", true),
    unclear({ kind: "answer", path, status: 200, acts: true }, "not-json", true),
    unclear({ kind: "answer", path, status: 200, body: "{}", acts: true }, "no-token", true),
    unclear(
      { kind: "answer", path, status: 307, headers: { location: "/elsewhere" } },
      "unexpected-status",
      false,
    ),
    unclear({ kind: "reset-before-reading", path }, "broken", false),
    unclear({ kind: "reset-before-acting", path }, "broken", false),
    unclear({ kind: "reset-after-acting", path }, "broken", true),
    unclear({ kind: "half-answer", path }, "broken", true),
    unclear({ kind: "garbage", path }, "broken", true),
    notSent({ kind: "reset-at-connect" }),
    notSent({ kind: "stall-at-connect" }),
    notSent({ kind: "wrong-certificate", certificate: "other-name" }),
    notSent({ kind: "wrong-certificate", certificate: "expired" }),
    notSent({ kind: "wrong-certificate", certificate: "other-authority" }),
    notSent({ kind: "wrong-certificate", certificate: "self-signed" }),
    notSent({ kind: "old-tls" }),
  ];

  it.each(rows.map((row) => ({ ...row, title: JSON.stringify(row.fault) })))(
    "under $title ends $kind, and is sent once at most",
    async ({ fault, kind, code, acted, seen = 1 }) => {
      sandbox.setFault(fault);
      const end = await issuer.issueToken(requestFor(sandbox.account), freeControl());
      expect(end.kind).toBe(kind);
      if (code !== undefined) expect(end).toMatchObject({ cause: { name: "OwnRequestError", code } });
      else if (kind === "not-sent") expect(end).toMatchObject({ cause: { name: "ConnectError" } });
      else expect(end).toMatchObject({ status: 429, retryAfterMs: 7_000 });
      expect(requests()).toBe(seen);
      expect(firstLives()).toBe(!acted);
    },
  );

  it("takes a slow answer for one: nothing but its signal ends it", async () => {
    // The shortest time that undici's own limits can keep is a second; this one would be over.
    const slow = openIssuer({ port: sandbox.port, caPem: sandbox.caPem, poolTimeoutMs: -500 });
    sandbox.setFault({ kind: "slow-head", path, ms: 2_500 });
    const end = await slow.issueToken(requestFor(sandbox.account), freeControl());
    expect(end.kind).toBe("issued");
  });

  it("that nobody listens on this port for was not sent", async () => {
    const closed = createSandbox();
    await closed.start();
    const nowhere = openIssuer({ port: closed.port, caPem: closed.caPem });
    await closed.close();
    const end = await nowhere.issueToken(requestFor(sandbox.account), freeControl());
    expect(end).toMatchObject({ kind: "not-sent", cause: { name: "ConnectError", kind: "unreachable" } });
  });

  it("is not sent to a server whose key is not the pinned one", async () => {
    const pins = [Buffer.alloc(32).toString("base64")];
    const pinned = openIssuer({ port: sandbox.port, caPem: sandbox.caPem, pins });
    const end = await pinned.issueToken(requestFor(sandbox.account), freeControl());
    expect(end).toMatchObject({ kind: "not-sent", cause: { name: "ConnectError", kind: "untrusted" } });
    expect(requests()).toBe(0);
  });
});

describe("a reset call", () => {
  const reset = "/api/institutions/v1/auth/password/reset";
  const account = (): ReturnType<typeof requestFor>["account"] => requestFor(sandbox.account).account;

  it("changes the password", async () => {
    const next = new Secret("Another-Passw0rd!");
    expect(await issuer.resetPassword(account(), next, freeControl())).toEqual({ kind: "reset" });
    const { email } = sandbox.account;
    const end = await issuer.issueToken(requestFor({ email, password: next.reveal() }), freeControl());
    expect(end.kind).toBe("issued");
  });

  it("is refused by 401 with another password, and by 422 with one that breaks the rules", async () => {
    const { email } = account();
    const wrong = { email, password: new Secret("Wrong-Passw0rd!") };
    expect(await issuer.resetPassword(wrong, new Secret("Another-Passw0rd!"), freeControl())).toEqual({
      kind: "refused",
      status: 401,
      detail: "Presto refused the e-mail or the current password (401).",
    });
    expect(await issuer.resetPassword(account(), new Secret("weak"), freeControl())).toEqual({
      kind: "refused",
      status: 422,
      detail: "Presto refused what was asked for (422); it named: new_password.",
    });
  });

  it("is unclear where its answer is lost, though it was executed", async () => {
    sandbox.setFault({ kind: "reset-after-acting", path: reset });
    const next = new Secret("Another-Passw0rd!");
    expect(await issuer.resetPassword(account(), next, freeControl())).toMatchObject({ kind: "unclear" });
    sandbox.clearFaults();
    // The protocol's way to settle it: the same again, which 401 now answers.
    expect(await issuer.resetPassword(account(), next, freeControl())).toMatchObject({ status: 401 });
  });
});
