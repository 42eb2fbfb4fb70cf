import type { Writable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";

import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { createAskAddress } from "../../src/egress-ip/check-url.ts";
import { createAsk } from "../../src/presto/probe.ts";
import { Secret } from "../../src/secret.ts";
import { freeControl, openIssuer, poolOpener, requestFor } from "../support/own-calls.ts";
import { expectProblem } from "../support/problem-reply.ts";
import { exchange } from "../support/raw-caller.ts";
import { httpAnswer, type RawPresto, startRawPresto } from "../support/raw-presto.ts";
import { type RunningSidecar, startSidecar } from "../support/running-sidecar.ts";
import { confirmCall, initCall, nextConfirmCall, queryCall } from "../support/wallet-call.ts";

// RFC 9110 section 15.2: a client must be able to read interim answers that it did not ask for.

let presto: RawPresto;
let sidecar: RunningSidecar;

beforeAll(async () => {
  presto = await startRawPresto();
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    // What is open by one test is not asked about during the next.
    env: { PRESTO_TIMEOUT: "5s", PRESTO_SETTLE_OUTCOMES: "1ms" },
  });
});
afterEach(() => presto.answer(({ socket }) => void socket.write(httpAnswer(200))));
afterAll(async () => {
  await sidecar.close();
  await presto.close();
});

const proceed = "HTTP/1.1 100 Continue\r\n\r\n";
const processing = "HTTP/1.1 102 Processing\r\nX-Interim: 102\r\n\r\n";
const hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n";
const final = httpAnswer(200, '{"message":"It is done."}');

async function writeApart(socket: Writable, pieces: Iterable<string>, ms: number): Promise<void> {
  for (const piece of pieces) {
    socket.write(piece);
    await pause(ms);
  }
}

const before: readonly (readonly [string, string])[] = [
  ["a 100", proceed],
  ["a 102", processing],
  ["a 103", hints],
  ["one of each", proceed + processing + hints],
  ["fifty of each", (proceed + processing + hints).repeat(50)],
];

describe("an answer after interim ones is the answer:", () => {
  it.each(before)("after %s", async (_what, interim) => {
    presto.answer(({ socket }) => void socket.write(interim + final));
    for (const call of [queryCall("T1"), initCall(), nextConfirmCall()]) {
      const seen = presto.requests.length;
      const answer = await exchange(sidecar, call);
      expect(answer).toMatchObject({ status: 200, body: '{"message":"It is done."}' });
      expect(answer.headers).toMatchObject({ "presto-outcome": "answered" });
      expect(answer.headers["link"] ?? answer.headers["x-interim"]).toBeUndefined();
      expect(answer.raw.startsWith("HTTP/1.1 200")).toBe(true);
      // A success that names no transaction leaves a question, which is no second confirm.
      const sent = presto.requests.slice(seen).filter(({ requestLine }) => !requestLine.includes("/N"));
      expect(sent.length).toBe(1);
    }
  });

  it("wherever the bytes are cut", async () => {
    const bytes = proceed + hints + final;
    for (let at = 1; at <= (proceed + hints).length + 14; at += 1) {
      presto.answer(({ socket }) => void writeApart(socket, [bytes.slice(0, at), bytes.slice(at)], 3));
      const answer = await exchange(sidecar, nextConfirmCall());
      expect(answer, `cut after ${at} bytes`).toMatchObject({
        status: 200,
        body: '{"message":"It is done."}',
      });
    }
  });

  it("byte by byte", async () => {
    presto.answer(({ socket }) => void writeApart(socket, proceed + processing + final, 1));
    expect(await exchange(sidecar, nextConfirmCall())).toMatchObject({ status: 200 });
  });

  it("and the connection takes the next call", async () => {
    presto.answer(({ socket }) => void socket.write(proceed + final));
    // What became of the confirms before is asked meanwhile.
    const last = (): number | undefined =>
      presto.requests.findLast(({ requestLine }) => requestLine.startsWith("POST"))?.connection;
    await exchange(sidecar, initCall());
    await pause(50);
    const first = last();
    await exchange(sidecar, initCall());
    expect(last()).toBe(first);
  });
});

describe("interim ones alone are no answer:", () => {
  it.each([
    ["with its fields", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"],
    ["without them", "HTTP/1.1 101 Switching Protocols\r\n\r\n"],
    [
      "after a 100",
      `${proceed}HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n`,
    ],
  ])("a 101 is never accepted, %s", async (what, bytes) => {
    const reference = `I${what.length}`;
    presto.answer(({ socket, requestLine }) => {
      if (requestLine.startsWith("POST")) socket.write(bytes + final);
      else socket.write(httpAnswer(200, '{"data":{"status":"pending"}}'));
    });
    expectProblem(await exchange(sidecar, confirmCall(reference)), {
      status: 502,
      code: "upstream-broken",
      outcome: "unknown",
      proxyStatus: "http_response_incomplete",
      retryable: false,
      transaction: { reference, status: "pending" },
    });
  });

  it("a stream of them ends with the call's time", async () => {
    let written = 0;
    presto.answer(({ socket }) => {
      const timer = setInterval(() => {
        written += 1;
        socket.write(processing);
      }, 20);
      socket.on("close", () => clearInterval(timer));
    });
    const answer = await exchange(sidecar, queryCall("T1"));
    expect(answer.status).toBe(504);
    expect(answer.headers["presto-outcome"]).toBe("unknown");
    expect(written).toBeGreaterThan(50);
    const asked = presto.requests.findLast(({ requestLine }) => requestLine.includes("/T1 "));
    await expect.poll(() => asked?.socket.destroyed).toBe(true);
  });

  it("a flood of them ends the call at once, and costs no memory", async () => {
    let written = 0;
    presto.answer(({ socket }) => {
      const flood = (): void => {
        while (!socket.destroyed && socket.write(hints.repeat(200))) written += 1;
      };
      socket.on("drain", flood);
      flood();
    });
    const answer = await exchange(sidecar, queryCall("T1"));
    // Not 504, as at the end of its time.
    expect(answer.status).toBe(502);
    expect(answer.headers["presto-outcome"]).toBe("unknown");
    await expect.poll(() => presto.requests.at(-1)?.socket.destroyed).toBe(true);
    expect(written * hints.length * 200).toBeLessThan(4 * 1024 * 1024);
  });

  it("the end of the connection after one is unknown, and sent once", async () => {
    const seen = presto.requests.length;
    presto.answer(({ socket }) => void socket.end(proceed));
    const answer = await exchange(sidecar, queryCall("T1"));
    expect(answer.status).toBe(502);
    expect(answer.headers["presto-outcome"]).toBe("unknown");
    const sent = presto.requests.slice(seen).filter(({ requestLine }) => requestLine.includes("/T1 "));
    expect(sent.length).toBe(1);
  });
});

describe("in calls of our own an answer after interim ones is the answer, too:", () => {
  const interim = proceed + processing + hints + proceed;
  const account = { email: "a@bank.example", password: "Passw0rd!x" };
  const answer = (body: string, status = 200): void =>
    presto.answer(({ socket }) => void socket.write(interim + httpAnswer(status, body)));
  const access = (): { port: number; caPem: string } => ({
    port: presto.port,
    caPem: presto.authority.certPem,
  });

  it("of an issue call, and no token is thrown away", async () => {
    answer('{"data":{"token":"token-2"}}');
    const end = await openIssuer(access()).issueToken(requestFor(account), freeControl());
    expect(end.kind).toBe("issued");
    expect(end.kind === "issued" ? end.issued.token.reveal() : "").toBe("token-2");
  });

  it("of a reset", async () => {
    answer('{"message":"ok","data":{}}');
    const { account: secrets } = requestFor(account);
    const end = await openIssuer(access()).resetPassword(secrets, new Secret("N3w-passw0rd!"), freeControl());
    expect(end.kind).toBe("reset");
  });

  it("of a probe", async () => {
    answer('{"message":"no such transaction"}', 404);
    const ask = createAsk({
      openPool: poolOpener(access()),
      reference: "TRX0",
      timeoutMs: 5_000,
      clock: systemClock,
    });
    expect(await ask(new Secret("token-1"))).toBe("not-found");
  });

  it("of a check URL", async () => {
    answer(`{"ip":"203.0.113.7"}`);
    const ask = createAskAddress({
      name: "ip.example",
      target: "/",
      openPool: poolOpener(access()),
      timeoutMs: 5_000,
      clock: systemClock,
    });
    expect(await ask()).toMatchObject({ address: { text: "203.0.113.7" } });
  });

  it("of the question after an unknown confirm", async () => {
    presto.answer(({ socket, requestLine }) => {
      if (requestLine.startsWith("POST")) socket.destroy();
      else socket.write(interim + httpAnswer(200, '{"data":{"status":"completed"}}'));
    });
    expect(JSON.parse((await exchange(sidecar, confirmCall("ASKED"))).body)).toMatchObject({
      transaction: { reference: "ASKED", status: "completed" },
    });
  });

  it("and an endless stream of them ends with the call's time", async () => {
    presto.answer(({ socket }) => {
      const timer = setInterval(() => socket.write(processing), 20);
      socket.on("close", () => clearInterval(timer));
      onTestFinished(() => clearInterval(timer));
    });
    const ask = createAsk({
      openPool: poolOpener(access()),
      reference: "TRX0",
      timeoutMs: 300,
      clock: systemClock,
    });
    expect(await ask(new Secret("token-1"))).toBe("other");
  });
});
