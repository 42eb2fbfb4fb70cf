import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";

import { afterEach, describe, expect, it } from "vitest";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { createIssuingBench, issuePath } from "../support/issuing-bench.ts";
import type { IssuingBench } from "../support/issuing-bench.ts";
import { openIssuingSidecar } from "../support/issuing-sidecar.ts";
import type { IssuingSidecar } from "../support/issuing-sidecar.ts";
import { marksIn } from "../support/marks.ts";
import type { Mark } from "../support/marks.ts";
import { rawRequest } from "../support/raw-exchange.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto, WireRequest } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import { createSealedToken } from "../support/sealed-token.ts";
import type { SealedToken } from "../support/sealed-token.ts";
import { eventually } from "../support/sidecar-load.ts";
import { startProgram } from "../support/source-program.ts";

// Invariant 4, for a role that issues: the account's e-mail and password, the store key, and every token, old and
// new, are in nothing that comes out of it, however Presto answers; and Presto answers with all that it was sent.

const authority = await createAuthority();
const unique = (name: string): string => `${name}${randomBytes(12).toString("hex")}`;
const email = `${unique("mail")}@${unique("bank")}.example`;
const password = `${unique("Pass")}"<&'%\\/+=~`;
const oldToken = `1111|${unique("Old")}"<&'%\\/+=~`;
const newToken = `2222|${unique("New")}"<&'%\\/+=~`;

const account: readonly Mark[] = [
  { name: "the e-mail address", value: email },
  { name: "the domain", value: email.split("@")[1] ?? "" },
  { name: "the password", value: password },
  { name: "the old token", value: oldToken },
  { name: "the new token", value: newToken },
];

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** All that came with an issue call, as one text. */
const echo = ({ body }: WireRequest): string => `${body.toString()} ${email} ${password} ${newToken}`;
const inField = (text: string): string => text.replace(/[^\x20-\x7e]/g, "");
const saying = (request: WireRequest): string => JSON.stringify({ message: echo(request), data: { email } });
type Answer = (request: WireRequest, presto: RawPresto) => void;

const answers: Readonly<Record<string, Answer>> = {
  "a refusal of the credentials": (request) => request.socket.write(httpAnswer(401, saying(request))),
  "a refusal of fields": (request) =>
    request.socket.write(
      httpAnswer(422, JSON.stringify({ message: echo(request), errors: { [email]: [password] } })),
    ),
  "too many calls": (request) =>
    request.socket.write(
      httpAnswer(429, saying(request), [
        "Content-Type: application/json",
        `Retry-After: ${inField(password)}`,
      ]),
    ),
  "an error": (request) => request.socket.write(httpAnswer(500, saying(request))),
  "a page": (request) =>
    request.socket.write(httpAnswer(502, `<p>${echo(request)}</p>`, ["Content-Type: text/html"])),
  "a redirect": (request) =>
    request.socket.write(
      httpAnswer(302, saying(request), [
        `Location: https://elsewhere.example/?e=${encodeURIComponent(email)}`,
      ]),
    ),
  "a status line that says it": (request) =>
    request.socket.end(`HTTP/1.1 500 ${inField(echo(request))}\r\nContent-Length: 0\r\n\r\n`),
  "bytes that are no HTTP": (request) => request.socket.end(`${echo(request)}\r\n\r\n`),
  "a field that is none": (request) =>
    request.socket.end(`HTTP/1.1 200 OK\r\n${inField(echo(request))}\r\n\r\n`),
  "a chunk that is none": (request) =>
    request.socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${inField(echo(request))}\r\n`),
  "half of itself": (request) =>
    request.socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n${saying(request)}`),
  "a reset": (request, presto) => presto.reset(request.socket),
  "a token that can't be one": (request) =>
    request.socket.write(httpAnswer(200, JSON.stringify({ data: { token: `${newToken}\n${password}` } }))),
  "a token of the wrong kind": (request) =>
    request.socket.write(httpAnswer(200, JSON.stringify({ data: { token: { value: newToken, email } } }))),
  "dates that are none": (request) =>
    request.socket.write(
      httpAnswer(
        200,
        JSON.stringify({ data: { token: newToken, expiration_date: email, created_at: password } }),
      ),
    ),
  "a token": (request) =>
    request.socket.write(httpAnswer(200, JSON.stringify({ data: { token: newToken } }))),
};

/** A sidecar whose one way to Presto answers issue calls so, and knows no token but the new one. */
async function start(answer: Answer): Promise<{ sidecar: IssuingSidecar; store: SealedToken }> {
  const presto = await startRawPresto({ authority });
  closers.push(() => presto.close());
  presto.answer((request) => {
    if (request.requestLine.includes(issuePath)) answer(request, presto);
    else if (request.header("authorization") === `Bearer ${newToken}`)
      request.socket.write(httpAnswer(200, '{"data":{}}'));
    else request.socket.write(httpAnswer(401, JSON.stringify({ message: request.header("authorization") })));
  });
  const store = await createSealedToken(oldToken);
  closers.push(() => store.remove());
  const sidecar = openIssuingSidecar(
    await startSidecar({
      url: presto.url,
      caPem: authority.certPem,
      clock: createFastClock(20),
      env: {
        ...store.env,
        PRESTO_ROLE: "all",
        PRESTO_EMAIL: email,
        PRESTO_PASSWORD: password,
        PRESTO_CONTROL_LISTEN: "127.0.0.1:0",
        PRESTO_SETTLE: "60s",
        PRESTO_TIMEOUT: "20s",
        PRESTO_HOLD_MAX: "5s",
        PRESTO_CONNECT_TIMEOUT: "100s",
      },
    }),
  );
  closers.push(() => sidecar.close());
  return { sidecar, store };
}

/** Everything that its listeners say, by whatever road. */
async function pages(sidecar: IssuingSidecar): Promise<string> {
  const paths = ["/status", "/metrics", "/readyz?verbose", "/readyz", "/livez", "/", `/${email}?p=${email}`];
  const got = paths.map((path) => rawRequest(sidecar.adminPort, `GET ${path} HTTP/1.1`, "Host: localhost"));
  const told = ["/renew?wait=1ms", "/renew?wait=1ms&force=1", "/reload", "/drain"].map((path) =>
    rawRequest(sidecar.controlPort, `POST ${path} HTTP/1.1`, "Host: localhost", "Presto-Control: 1"),
  );
  return [...(await Promise.all(got)), ...(await Promise.all(told))].join("\n");
}

describe("nothing is shown of the account, the key or a token where Presto answers an issue call with", () => {
  it.each(Object.entries(answers))("%s", async (_name, answer) => {
    const { sidecar, store } = await start(answer);
    const key = { name: "the store key", value: store.env["PRESTO_STORE_KEY"] ?? "" };
    // The old token is found dead by callers; what they are told counts as well.
    const calls = await Promise.all([sidecar.call(), sidecar.call()]);
    await eventually(sidecar.log).toContain('"msg":"An issue call is begun');
    await eventually(() => sidecar.issueCalls().some(({ end }) => end !== "undefined")).toBe(true);
    const told = calls.filter(({ headers }) => headers["presto-outcome"] !== "answered");
    const output = [...told.map(({ raw }) => raw), await pages(sidecar)];
    await sidecar.close();
    output.push(sidecar.log());
    expect(marksIn(output.join("\n"), [...account, key])).toEqual([]);
    expect(sidecar.log()).toContain('"level":"debug"');
  });
});

describe("nothing is shown", () => {
  let bench: IssuingBench;

  it("by a process of its own: not by its title, its arguments, its output, nor by the commands beside it", async () => {
    bench = await createIssuingBench({ sandbox: { email, password, token: oldToken } });
    closers.push(() => bench.close());
    const sidecar = await bench.serve({ PRESTO_LOG_LEVEL: "trace" });
    expect((await sidecar.renew()).status).toBe(200);
    expect((await sidecar.call()).status).toBe(200);
    const outputs = ["cmdline", "comm", "status"].map((name) =>
      readFileSync(`/proc/${sidecar.pid}/${name}`, "utf8"),
    );
    const places = {
      PRESTO_ADMIN_LISTEN: `127.0.0.1:${sidecar.adminPort}`,
      PRESTO_CONTROL_LISTEN: `127.0.0.1:${sidecar.controlPort}`,
    };
    for (const line of [
      "check",
      "status --json",
      "token show",
      "token show --json",
      "token renew",
      "doctor",
    ]) {
      const program = startProgram(line.split(" "), { env: bench.env(places) });
      await program.ended;
      outputs.push(program.output());
    }
    const wrong = { ...places, PRESTO_CONTROL_LISTEN: "off", PRESTO_PASSWORD: `${password}x` };
    const refused = startProgram(["token", "issue", "--yes"], { env: bench.env(wrong) });
    expect(await refused.ended).toBe(77);
    outputs.push(refused.output());
    sidecar.kill("SIGTERM");
    expect(await sidecar.ended).toBe(0);
    outputs.push(sidecar.log());
    const marks = [
      ...account,
      { name: "the store key", value: bench.key },
      { name: "the live token", value: bench.sandbox.token },
    ];
    expect(marksIn(outputs.join("\n"), marks)).toEqual([]);
    expect(outputs.join("\n")).toContain("A new token is stored.");
  });
});
