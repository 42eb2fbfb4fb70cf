import { once } from "node:events";
import { connect } from "node:tls";

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { loadConfig } from "../../src/config/load.ts";
import { createSandbox } from "../../src/sandbox/server.ts";
import type { Sandbox } from "../../src/sandbox/server.ts";
import { exchange, openRawCaller } from "../support/raw-caller.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";

// Invariant 3: auth/* cannot be reached through the proxy port. One call to it, with good
// credentials as here, revokes the token of every app. A real sandbox stands behind.

const parameters = ["{a}", "{b}", "{c}", "{d}", "{e}", "{f}", "{g}"];
/** As wide a table as can be configured: parameters wherever one may stand. */
const widest = ["POST", "PUT", "GET"]
  .flatMap((method) => [
    ...parameters.map((_, index) => `${method} /${parameters.slice(0, index + 1).join("/")}`),
    `${method} /api/institutions/{a}/{b}/{c}`,
    `${method} /api/institutions/v1/{b}/{c}/{d}`,
  ])
  .join(", ");

const base = "/api/institutions/v1";
const issue = `${base}/auth/token/issue`;
let sandbox: Sandbox;
let narrow: RunningSidecar;
let wide: RunningSidecar;
const account = { email: "fi@sandbox.example", password: "Sandbox-Passw0rd!" };
const credentials = JSON.stringify({
  email: account.email,
  password: account.password,
  token_name: "stolen",
  token_expiration_date: "2099-01-01",
  current_password: account.password,
  new_password: "Another-Passw0rd!",
});

beforeAll(async () => {
  sandbox = createSandbox(account);
  await sandbox.start();
  const options = { url: sandbox.url, caPem: sandbox.caPem };
  narrow = await startSidecar({ ...options, env: { PRESTO_TOKEN: sandbox.token } });
  wide = await startSidecar({ ...options, env: { PRESTO_TOKEN: sandbox.token, PRESTO_OPERATIONS: widest } });
});

afterAll(async () => {
  await Promise.all([narrow.close(), wide.close()]);
  await sandbox.close();
});

/** Nothing was issued or reset, and the token still lives, by the sandbox's own books and by a call. */
async function expectNothingRevoked(): Promise<void> {
  const { requests, tokens } = sandbox.state();
  expect(Object.keys(requests).filter((request) => /auth|issue|reset/i.test(request))).toEqual([]);
  expect(tokens).toMatchObject([{ live: true }]);
  for (const sidecar of [narrow, wide]) {
    const init = `{"customer":{"identifier_type":"phone","identifier":"218910000000"},"amount":1.000,"currency":"LYD"}`;
    const answer = await exchange(sidecar, request("POST", `${base}/wallet/init`, [], init));
    expect([answer.status, answer.headers["presto-outcome"]]).toEqual([200, "answered"]);
  }
}

function request(method: string, target: string, lines: readonly string[] = [], body = credentials): string {
  return [
    `${method} ${target} HTTP/1.1`,
    "Host: localhost",
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
    ...lines,
    "",
    body,
  ].join("\r\n");
}

async function expectRefused(bytes: string): Promise<void> {
  for (const sidecar of [narrow, wide]) {
    const answer = await exchange(sidecar, Buffer.from(bytes, "latin1"));
    expect(answer.headers["presto-outcome"]).toBe("not-sent");
    expect([400, 403, 405, 421]).toContain(answer.status);
  }
}

describe("the auth endpoints", () => {
  it.each([
    `POST ${issue}`,
    `POST ${base}/auth/{a}/{b}`,
    `POST ${base}/AUTH/token/issue`,
    "PUT /{a}/auth./{b}",
    "GET /auth",
  ])("cannot be opened by configuration: %s", (operation) => {
    const env = { PRESTO_URL: sandbox.url, PRESTO_TOKEN: "x", PRESTO_OPERATIONS: operation };
    expect(() => loadConfig(env, [])).toThrow(/PRESTO_OPERATIONS/);
  });

  it("would do harm: the same bytes, straight to a sandbox, revoke its token", async () => {
    const another = createSandbox(account);
    await another.start();
    const socket = connect({ host: "localhost", port: another.port, ca: another.caPem });
    socket.write(request("POST", issue));
    await once(socket, "data");
    socket.destroy();
    expect(another.state().tokens.map(({ live }) => live)).toEqual([false, true]);
    await another.close();
  });

  it.each([
    issue,
    `${base}/auth/password/reset`,
    `${base}/auth`,
    `${base}/auth/`,
    `${base}/auth/token/issue/`,
    `${base}/auth/token/issue?`,
    `${base}/auth/token/issue?a=b`,
    `${base}/auth/token/issue;a=b`,
    `${base}/auth;a=b/token/issue`,
    `${base}/AUTH/token/issue`,
    `${base}/Auth/Token/Issue`,
    "/API/INSTITUTIONS/V1/AUTH/TOKEN/ISSUE",
    `${base}/auth./token/issue`,
    `${base}/auth../token/issue`,
    `${base}/./auth/token/issue`,
    `${base}//auth/token/issue`,
    `/${issue}`,
    `${base}/auth//token/issue`,
    `${base}/auth/./token/./issue`,
    `${base}/wallet/../auth/token/issue`,
    `${base}/wallet/init/../../auth/token/issue`,
    `${base}/wallet/transaction/../../auth/token/issue`,
    `${base}/wallet/transaction/..%2f..%2fauth%2ftoken%2fissue`,
    `${base}/wallet/transaction/..%252f..%252fauth%252ftoken%252fissue`,
    `${base}/wallet/transaction/%2e%2e/%2e%2e/auth/token/issue`,
    `${base}/wallet/transaction/.%2e/.%2e/auth/token/issue`,
    `${base}/wallet/transaction/..;/..;/auth/token/issue`,
    `${base}/wallet/transaction/..\\..\\auth\\token\\issue`,
    `${base}\\auth\\token\\issue`,
    `${base}/wallet/transaction/%c0%ae%c0%ae/%c0%ae%c0%ae/auth/token/issue`,
    `${base}/%61uth/token/issue`,
    `${base}/%41UTH/token/issue`,
    `${base}/a%75th/token/issue`,
    `${base}/%2561uth/token/issue`,
    `${base}/auth%2ftoken%2fissue`,
    `${base}/auth%00/token/issue`,
    `${base}/auth%20/token/issue`,
    `${base}/auth%0d%0a/token/issue`,
    `${base}/auth\t/token/issue`,
    `${base}/auth\x00/token/issue`,
    `${base}/\xef\xbd\x81uth/token/issue`,
    `/api/institutions/v2/../v1/auth/token/issue`,
    `/x/..${issue}`,
    `/index.php${issue}`,
    `.${issue}`,
    `api/institutions/v1/auth/token/issue`,
    `*`,
    `http://localhost${issue}`,
    `https://localhost${issue}`,
    `http://localhost/${issue}`,
    `http://localhost${base}/wallet/../auth/token/issue`,
    `http://user@localhost${issue}`,
  ])("cannot be reached by the target %j", async (target) => {
    for (const method of ["POST", "PUT", "post", "PATCH"]) await expectRefused(request(method, target));
    await expectRefused(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await expectNothingRevoked();
  });

  it.each([
    "X-Original-URL",
    "X-Original-URI",
    "X-Original-Path",
    "X-Rewrite-URL",
    "X-Rewrite-URI",
    "X-Forwarded-Uri",
    "X-Forwarded-Path",
    "X-Forwarded-Prefix",
    "X-Envoy-Original-Path",
    "X-Script-Name",
    "Request-Uri",
    "Base-Url",
  ])("cannot be named by %s", async (name) => {
    for (const sidecar of [narrow, wide]) {
      const before = sandbox.received().length;
      await exchange(sidecar, request("POST", `${base}/wallet/init`, [`${name}: ${issue}`]));
      const sent = sandbox.received().slice(before);
      expect(sent.map(({ target }) => target)).toEqual([`${base}/wallet/init`]);
      expect(sent.flatMap(({ rawHeaders }) => rawHeaders)).not.toContain(issue);
    }
    await expectNothingRevoked();
  });

  it.each([
    ["a body", request("POST", `${base}//nothing`, [], request("POST", issue))],
    [
      "a body that is called chunked too",
      request("POST", `${base}/wallet/init`, ["Transfer-Encoding: chunked"], `0\r\n\r\n`) +
        request("POST", issue),
    ],
    [
      "a body too long",
      request("POST", `${base}/wallet/init`, [`Content-Length: 3`]) + request("POST", issue),
    ],
    ["a GET", `GET ${base}/wallet/transaction/T HTTP/1.1\r\nHost: evil\r\n\r\n${request("POST", issue)}`],
  ])("cannot be reached by a request hidden behind %s", async (_what, bytes) => {
    for (const sidecar of [narrow, wide]) {
      const caller = await openRawCaller(sidecar, { stubborn: true });
      caller.send(bytes);
      await caller.answers(1);
      caller.socket.end();
      await caller.ended();
      caller.close();
      expect(caller.received()).not.toContain("Presto-Outcome: answered");
    }
    await expectNothingRevoked();
  });

  it("cannot be reached by any spelling of their path", async () => {
    const spelt = (text: string): fc.Arbitrary<string> =>
      fc
        .tuple(
          ...[...text].map((letter) => {
            const code = letter.charCodeAt(0).toString(16).padStart(2, "0");
            const rare =
              letter === "/"
                ? ["//", "/./", "\\", "%2f", "%5c", "/x/../", "/;/"]
                : [letter.toUpperCase(), `%${code}`, `%25${code}`];
            return fc.oneof(
              { weight: 12, arbitrary: fc.constant(letter) },
              { weight: 1, arbitrary: fc.constantFrom(...rare) },
            );
          }),
        )
        .map((letters) => letters.join(""));
    const end = fc.constantFrom("", "/", "?", "?x=%2e", ".", "..", "%20", "%00", ";", "#");
    await fc.assert(
      fc.asyncProperty(
        spelt(issue),
        end,
        fc.constantFrom("POST", "PUT", "GET"),
        async (path, tail, method) => {
          await expectRefused(request(method, path + tail));
        },
      ),
      { numRuns: 300 },
    );
    await expectNothingRevoked();
  });
});
