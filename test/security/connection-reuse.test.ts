import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it, onTestFinished } from "vitest";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import { exchange } from "../support/raw-caller.ts";
import type { WireAnswer } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto, WireRequest } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";

// Invariant 6 on connections that are used again: one that Presto closes just as a request goes out
// must not have it sent twice, and an answer belongs to the request that it was made for.

const wallet = "/api/institutions/v1/wallet";
const authority = await createAuthority();

async function startBoth(
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<{ presto: RawPresto; sidecar: RunningSidecar }> {
  const presto = await startRawPresto({ authority });
  onTestFinished(() => presto.close());
  const sidecar = await startSidecar({ url: presto.url, caPem: authority.certPem, env });
  onTestFinished(() => sidecar.close());
  return { presto, sidecar };
}

/** The name of a call, out of its body or its path; undefined for the question what became of one. */
function nameOf({ requestLine, body }: WireRequest): string | undefined {
  const text = requestLine.startsWith("GET") ? requestLine : body.toString();
  return /name-\w+/.exec(text)?.[0];
}

const echo = (request: WireRequest, ...headers: readonly string[]): string =>
  httpAnswer(200, `{"for":"${nameOf(request)}"}`, ["Content-Type: application/json", ...headers]);

function call(sidecar: RunningSidecar, name: string, kind: "init" | "query" = "init"): Promise<WireAnswer> {
  if (kind === "query") {
    return exchange(sidecar, `GET ${wallet}/transaction/${name} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  }
  const body = `{"transaction_reference":"${name}"}`;
  return exchange(
    sidecar,
    `POST ${wallet}/init HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}

/** Every call came at most once, was told the truth, and got no other's answer. */
function expectOwnAnswers(presto: RawPresto, answers: ReadonlyMap<string, WireAnswer>): void {
  const came = new Map<string, number>();
  for (const request of presto.requests) {
    const name = nameOf(request) ?? "none";
    came.set(name, (came.get(name) ?? 0) + 1);
  }
  const wire = Buffer.concat(presto.wire()).toString("latin1");
  for (const [name, { status, body, headers }] of answers) {
    expect(came.get(name) ?? 0).toBeLessThanOrEqual(1);
    const outcome = headers["presto-outcome"];
    if (outcome === "answered") {
      expect([name, status, body, came.get(name)]).toEqual([name, 200, `{"for":"${name}"}`, 1]);
    } else if (outcome === "not-sent") {
      expect(wire).not.toContain(`${name}"`);
    } else {
      expect([outcome, status]).toEqual(["unknown", 502]);
    }
  }
}

/** `workers` callers at a time, one call after the other each. */
async function callMany(
  sidecar: RunningSidecar,
  workers: number,
  each: number,
): Promise<Map<string, WireAnswer>> {
  const answers = new Map<string, WireAnswer>();
  const work = async (worker: number): Promise<void> => {
    for (let index = 0; index < each; index += 1) {
      const name = `name-${worker}x${index}`;
      answers.set(name, await call(sidecar, name, (worker + index) % 3 === 0 ? "query" : "init"));
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
  return answers;
}

// One that comes after the next request went out can't be told from its answer: HTTP/1.1 has nothing to tell them apart by.
describe("an answer that nobody asked for", () => {
  const poison = httpAnswer(200, '{"for":"poison"}');
  const poisoned: readonly (readonly [what: string, answer: (request: WireRequest) => void])[] = [
    [
      "a second answer in the same packet",
      (request: WireRequest) => void request.socket.write(echo(request) + poison),
    ],
    [
      "half a second answer in the same packet",
      (request: WireRequest) => void request.socket.write(echo(request) + poison.slice(0, 20)),
    ],
    ["one byte in the same packet", (request: WireRequest) => void request.socket.write(`${echo(request)}H`)],
    [
      "a body longer than its length",
      (request: WireRequest) => void request.socket.write(`${echo(request)}${"x".repeat(100)}`),
    ],
    [
      "a body behind a 204",
      (request: WireRequest) =>
        void request.socket.write(`HTTP/1.1 204 X\r\nContent-Length: ${poison.length}\r\n\r\n${poison}`),
    ],
    [
      "a body behind a 304",
      (request: WireRequest) =>
        void request.socket.write(`HTTP/1.1 304 X\r\nContent-Length: ${poison.length}\r\n\r\n${poison}`),
    ],
    [
      "a second answer behind chunks",
      (request: WireRequest) => {
        const body = `{"for":"${nameOf(request)}"}`;
        request.socket.write(
          `HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n${poison}`,
        );
      },
    ],
  ];
  it.each(poisoned)("reaches no caller: %s", async (_what, answer) => {
    // One at a time: each next caller already waits when the answer comes.
    const { presto, sidecar } = await startBoth({ PRESTO_MAX_IN_FLIGHT: "1" });
    presto.answer(answer);
    const answers = await callMany(sidecar, 8, 4);
    expect(answers.size).toBe(32);
    for (const { raw } of answers.values()) expect(raw).not.toContain("poison");
    for (const [name, { body, status }] of answers) {
      if (status === 200) expect(body).toBe(`{"for":"${name}"}`);
      else expect([204, 304]).toContain(status);
    }
    expect(presto.requests).toHaveLength(32);
  });

  it("on an idle connection ends it, and nothing else", async () => {
    const { presto, sidecar } = await startBoth({ PRESTO_MAX_IN_FLIGHT: "1" });
    presto.answer((request) => void request.socket.write(echo(request)));
    await call(sidecar, "name-first");
    expect(presto.open()).toBe(1);
    presto.requests[0]?.socket.write(poison);
    await expect.poll(() => presto.open()).toBe(0);
    expect((await call(sidecar, "name-second")).body).toBe('{"for":"name-second"}');
    expect(presto.requests.map(({ connection }) => connection)).toEqual([1, 2]);
  });
});

describe("a connection that Presto closes just as the next request goes out", () => {
  it.each(["end", "destroy", "reset"] as const)("has nothing sent twice: %s", async (how) => {
    const { presto, sidecar } = await startBoth();
    let served = 0;
    presto.answer((request) => {
      served += 1;
      request.socket.write(echo(request));
      const close = (): void => {
        if (how === "reset") presto.reset(request.socket);
        else if (how === "end") request.socket.end();
        else request.socket.destroy();
      };
      // Now at once, now in this turn of the loop, now a little later; now and then not at all.
      const moment = (served * 7) % 10;
      if (moment === 0) close();
      else if (moment < 3) setImmediate(close);
      else if (moment < 5) setImmediate(() => setImmediate(close));
      else if (moment < 9) setTimeout(close, (moment - 5) * 0.7);
    });
    const answers = await callMany(sidecar, 6, 50);
    expect(answers.size).toBe(300);
    expectOwnAnswers(presto, answers);
    // Both ends were met, or this would say little.
    const outcomes = [...answers.values()].map(({ headers }) => headers["presto-outcome"]);
    expect(outcomes.filter((outcome) => outcome === "answered").length).toBeGreaterThan(100);
  });

  it.each([
    ["Connection: close", "close"],
    ["Keep-Alive: timeout=1", "keep-alive"],
    ["Keep-Alive: timeout=0", "keep-alive"],
    ["Keep-Alive: timeout=2, max=100", "keep-alive"],
  ])("is not used again once it has said %s", async (line, connection) => {
    const { presto, sidecar } = await startBoth();
    presto.answer((request) => void request.socket.write(echo(request, line, `X-Connection: ${connection}`)));
    for (const name of ["name-a", "name-b", "name-c"]) {
      expect((await call(sidecar, name)).status).toBe(200);
    }
    expect(presto.requests.map((request) => request.connection)).toEqual([1, 2, 3]);
  });

  it("is given up two seconds before the end that it has named", async () => {
    const { presto, sidecar } = await startBoth();
    presto.answer((request) => void request.socket.write(echo(request, "Keep-Alive: timeout=6")));
    await call(sidecar, "name-a");
    const answeredAt = performance.now();
    await call(sidecar, "name-b");
    expect(presto.connections()).toBe(1);
    await expect.poll(() => presto.open(), { timeout: 20_000 }).toBe(0);
    expect(performance.now() - answeredAt).toBeLessThan(6_000);
  });
});

describe("after a 401", () => {
  it("a call is sent again only with a token that it was not refused with", async () => {
    const folder = mkdtempSync(join(tmpdir(), "presto-401-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const tokenFile = join(folder, "token");
    const replace = (token: string): void => {
      writeFileSync(`${tokenFile}.new`, token, { mode: 0o600 });
      renameSync(`${tokenFile}.new`, tokenFile);
    };
    replace("token-1");
    const { presto, sidecar } = await startBoth({ PRESTO_TOKEN: undefined, PRESTO_TOKEN_FILE: tokenFile });
    presto.answer((request) => {
      const token = request.header("authorization") ?? "";
      if (token === "Bearer token-3") return void request.socket.write(echo(request));
      request.socket.write(httpAnswer(401, '{"message":"Unauthenticated."}'));
      replace(token === "Bearer token-1" ? "token-2" : "token-3");
    });
    const answers = await Promise.all(["a", "b", "c", "d", "e"].map((name) => call(sidecar, `name-${name}`)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    const sends = presto.requests.map((request) => `${nameOf(request)} ${request.header("authorization")}`);
    expect(new Set(sends).size).toBe(sends.length);
  });
});
