import { randomBytes } from "node:crypto";
import { format, inspect } from "node:util";

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import { Secret } from "../../src/secret.ts";
import { formsOf, marksIn } from "../support/marks.ts";
import type { Mark } from "../support/marks.ts";
import { exchange, openRawCaller } from "../support/raw-caller.ts";
import { rawExchange } from "../support/raw-exchange.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto, WireRequest } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";

// Invariant 4: the token is in no log line, metric, error, page or reply. Everything that can be
// marked is: the token, bodies, queries, the caller's own credentials; and everything that comes out
// of a running sidecar is searched for the marks.

const authority = await createAuthority();
const unique = (name: string): string => `${name}${randomBytes(12).toString("hex")}`;
const token = `1111|${unique("Tok")}"<&'%\\/+=~`;
const marks = {
  token: { name: "the token", value: token },
  body: { name: "a body", value: unique("Body") },
  query: { name: "a query", value: unique("Query") },
  field: { name: "a caller's field", value: unique("Field") },
  answer: { name: "an answer's body", value: unique("Answer") },
} as const;
const all: readonly Mark[] = Object.values(marks);
const wallet = "/api/institutions/v1/wallet";

let presto: RawPresto;
beforeAll(async () => {
  presto = await startRawPresto({ authority });
});
afterAll(() => presto.close());

function post(path: string, ...lines: readonly string[]): string {
  const body = `{"transaction_reference":"T-1","secret":"${marks.body.value}"}`;
  return [
    `POST ${path}?q=${marks.query.value} HTTP/1.1`,
    ...(lines.some((line) => /^host:/i.test(line)) ? [] : ["Host: localhost"]),
    `Authorization: Bearer ${marks.field.value}`,
    `Cookie: ${marks.field.value}`,
    `X-Own: ${marks.field.value}`,
    `Content-Length: ${body.length}`,
    ...lines,
    "",
    body,
  ].join("\r\n");
}

/** What Presto answers with everything that it was sent, wherever an answer can hold it. */
function echo(request: WireRequest): string {
  const said = request.header("authorization") ?? "";
  return [
    `HTTP/1.1 500 ${said}`,
    `X-Echo: ${said} ${marks.answer.value}`,
    `Set-Cookie: ${said}`,
    `Location: https://elsewhere.example/${marks.answer.value}`,
  ].join("\r\n");
}

const json = JSON.stringify({ message: token, of: marks.answer.value });
type Script = (request: WireRequest) => void;
const failures: Readonly<Record<string, Script>> = {
  "an echo": (request) =>
    request.socket.write(`${echo(request)}\r\nContent-Length: ${json.length}\r\n\r\n${json}`),
  "a cut echo": (request) => request.socket.end(`${echo(request)}\r\nContent-Length: 900\r\n\r\n${json}`),
  "a malformed echo": (request) =>
    request.socket.end(`${request.header("authorization")} ${marks.answer.value}\r\n\r\n${json}`),
  "a malformed field": (request) =>
    request.socket.end(`${echo(request)}\r\n${token} ${marks.answer.value}\r\n\r\n`),
  "a malformed chunk": (request) =>
    request.socket.end(`${echo(request)}\r\nTransfer-Encoding: chunked\r\n\r\n${token}\r\n`),
  "two lengths": (request) =>
    request.socket.end(`${echo(request)}\r\nContent-Length: 1\r\nContent-Length: ${token}\r\n\r\n`),
  "a head too large": (request) =>
    request.socket.end(`${echo(request)}\r\nX: ${token.repeat(2_000)}\r\n\r\n`),
  "a reset": (request) => presto.reset(request.socket),
  "a switch of protocols": (request) =>
    request.socket.end(
      `HTTP/1.1 101 ${token}\r\nUpgrade: ${marks.answer.value}\r\nConnection: Upgrade\r\n\r\n${json}`,
    ),
  "a redirect": (request) =>
    request.socket.write(
      httpAnswer(302, json, [`Location: https://elsewhere.example/?t=${encodeURIComponent(token)}`]),
    ),
  "an HTML page": (request) =>
    request.socket.write(httpAnswer(502, `<p>${token}</p>`, ["Content-Type: text/html"])),
  "an answer to a 401": (request) => request.socket.write(httpAnswer(401, json)),
};

async function start(env: Readonly<Record<string, string | undefined>> = {}): Promise<RunningSidecar> {
  const sidecar = await startSidecar({
    url: presto.url,
    caPem: authority.certPem,
    env: { PRESTO_TOKEN: token, PRESTO_CONTROL_LISTEN: "127.0.0.1:0", ...env },
  });
  onTestFinished(() => sidecar.close());
  return sidecar;
}

/** Everything that the admin and control listeners say, also when they are asked for what there is not. */
async function pages(sidecar: RunningSidecar): Promise<string> {
  const { control } = sidecar.addresses;
  const controlPort = control?.kind === "tcp" ? control.port : 0;
  const ask = (port: number, method: string, path: string): Promise<string> =>
    rawExchange(
      port,
      `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nPresto-Control: 1\r\nX-Own: ${marks.field.value}\r\nConnection: close\r\n\r\n`,
    );
  const asked = [
    "/livez",
    "/readyz",
    "/startupz",
    "/readyz?verbose",
    "/metrics",
    "/status",
    "/",
    `/no?q=${marks.query.value}`,
    `/${marks.query.value}`,
  ].map((path) => ask(sidecar.adminPort, "GET", path));
  const told = ["/reload", "/renew", `/no?q=${marks.query.value}`, "/drain"].map((path) =>
    ask(controlPort, "POST", path),
  );
  return (await Promise.all([...asked, ...told])).join("\n");
}

describe("the search", () => {
  it("finds a mark in every form that it may take", () => {
    for (const text of [
      JSON.stringify({ a: token }),
      JSON.stringify(JSON.stringify({ a: token })),
      encodeURIComponent(`x${token}`),
      Buffer.from(`Bearer ${token}`).toString("base64"),
      Buffer.from(`user:${token}xx`).toString("base64"),
      Buffer.from(token).toString("hex").toUpperCase(),
      token.toUpperCase(),
    ]) {
      expect(marksIn(text, [marks.token])).not.toEqual([]);
    }
    expect(marksIn(`Bearer [secret] ${new Secret(token).fingerprint()}`, [marks.token])).toEqual([]);
    expect(formsOf(token).length).toBeGreaterThan(8);
  });
});

describe("nothing is shown", () => {
  it("by a secret itself, whatever makes text of it", () => {
    const secret = new Secret(token);
    const holder = { secret, list: [secret], map: new Map([["a", secret]]) };
    const texts = [
      String(secret) + String(holder.list),
      JSON.stringify(holder),
      inspect(holder, { depth: 9, showHidden: true, getters: true, customInspect: true }),
      inspect(secret, { customInspect: false, showHidden: true }),
      format("%s %o %O %j %i %d", secret, secret, secret, secret, secret, secret),
      JSON.stringify({ ...secret, keys: Reflect.ownKeys(secret), entries: Object.entries(secret) }),
      inspect(structuredClone({ ...secret })),
      inspect(new Error("a failure", { cause: secret })),
      secret.fingerprint(),
    ];
    for (const text of texts) expect(marksIn(text, [marks.token])).toEqual([]);
  });

  it.each(["trace", "debug", "info", "warn", "error", "fatal", "silent"])(
    "at log level %s, however Presto fails",
    async (level) => {
      for (const [name, script] of Object.entries(failures)) {
        const sidecar = await start({ PRESTO_LOG_LEVEL: level });
        presto.answer(script);
        const replies: string[] = [];
        for (const path of [`${wallet}/init`, `${wallet}/confirm`]) {
          const answer = await exchange(sidecar, post(path));
          // What Presto itself says goes to the caller as it came; what the sidecar says must be clean.
          if (answer.headers["presto-outcome"] !== "answered") replies.push(answer.raw);
          expect([name, marksIn(answer.raw, [marks.field, marks.query, marks.body])]).toEqual([name, []]);
          if (name === "an answer to a 401") break;
        }
        if (name === "an answer to a 401")
          expect((await exchange(sidecar, post(`${wallet}/init`))).status).toBe(503);
        await sidecar.app.drain();
        const output = [...replies, await pages(sidecar), sidecar.log()].join("\n");
        expect([name, marksIn(output, all)]).toEqual([name, []]);
        if (level === "trace") expect(sidecar.log()).toContain('"msg":"call"');
      }
    },
  );

  it("a token that Presto repeats reaches the caller as it came, and no log", async () => {
    const sidecar = await start();
    presto.answer(failures["an answer to a 401"] ?? (() => {}));
    const answer = await exchange(sidecar, post(`${wallet}/confirm`));
    expect([answer.status, answer.body]).toEqual([401, json]);
    expect(marksIn(sidecar.log(), all)).toEqual([]);
  });

  it("when Presto can't be reached or trusted, or is late", async () => {
    // Node's own words about a wrong name hold the names that there are.
    const misnamed = await authority.issue({ names: [`${marks.answer.value}.example`] });
    const untrusted = await startRawPresto({ certificate: misnamed });
    onTestFinished(() => untrusted.close());
    const gone = await startRawPresto({ authority });
    await gone.close();
    presto.answer(() => {});
    for (const url of [untrusted.url, gone.url, presto.url]) {
      const sidecar = await start({
        PRESTO_URL: url,
        PRESTO_TIMEOUT: "600ms",
        PRESTO_CONNECT_TIMEOUT: "500ms",
        PRESTO_HOLD_MAX: "0ms",
      });
      const answer = await exchange(sidecar, post(`${wallet}/confirm`));
      expect([502, 504]).toContain(answer.status);
      expect(marksIn(answer.raw + sidecar.log() + (await pages(sidecar)), all)).toEqual([]);
    }
  });

  it("when a request is refused, by the parser or by us", async () => {
    const sidecar = await start();
    const value = marks.field.value;
    for (const bytes of [
      post(`/${value}`),
      post(`${wallet}/init`, `Host: ${value}.example`),
      post(`${wallet}/init`, `Origin: https://${value}.example`),
      post(`${wallet}/init`, `Expect: ${value}`),
      post(`${wallet}/init`, `Upgrade: ${value}`),
      post(`${wallet}/init`, `Transfer-Encoding: ${value}`),
      post(`${wallet}/init`, "Content-Length: 3"),
      post(`${wallet}/init`, `X-${value} : a`),
      post(`http://${value}.example${wallet}/init`),
      post(`${wallet}/init`).replace("POST", value),
      post(`${wallet}/init`).replace("POST", "PUT"),
      post(`${wallet}/init`, `X: ${value.repeat(2_000)}`),
      `CONNECT ${value}:443 HTTP/1.1\r\nHost: ${value}\r\n\r\n`,
      `${value}\r\n\r\n`,
    ]) {
      const caller = await openRawCaller(sidecar);
      caller.send(bytes);
      const [answer] = await caller.answers(1);
      caller.close();
      expect(answer?.status).toBeGreaterThanOrEqual(400);
      expect(marksIn(answer?.raw ?? "", all)).toEqual([]);
    }
    expect(marksIn(sidecar.log() + (await pages(sidecar)), all)).toEqual([]);
  });
});
