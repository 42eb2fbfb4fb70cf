import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { echo, startHeldPresto } from "../support/held-presto.ts";
import type { HeldPresto } from "../support/held-presto.ts";
import { openRawCaller } from "../support/raw-caller.ts";
import type { RawCaller, WireAnswer } from "../support/raw-caller.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { caughtUp, eventually, loadOf, noLoad } from "../support/sidecar-load.ts";
import { confirmCall, getCall, postCall, queryCall, walletPaths } from "../support/wallet-call.ts";

let presto: HeldPresto;
let sidecar: RunningSidecar;
let caller: RawCaller;

beforeEach(async () => {
  presto = await startHeldPresto();
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    // Some hundred handshakes at once take a busy machine their time.
    env: { PRESTO_MAX_BODY: "1KiB", PRESTO_CONNECT_TIMEOUT: "60s", PRESTO_TIMEOUT: "100s" },
  });
  caller = await openRawCaller(sidecar, { stubborn: true });
});

afterEach(async () => {
  caller.close();
  await sidecar.close();
  await presto.close();
});

const targets = (answers: readonly WireAnswer[]): readonly (string | undefined)[] =>
  answers.map(({ body, status }) =>
    status === 200 ? String(JSON.parse(body).of).split("/").at(-1) : undefined,
  );

describe("requests that come one behind the other on a connection", () => {
  it("are answered in their order, whatever the order of Presto's answers", async () => {
    caller.send(queryCall("A") + confirmCall("B") + queryCall("C"));
    await presto.holds(3);
    for (const request of presto.waiting.splice(0).toReversed()) request.socket.write(echo(request));
    expect(targets(await caller.answers(3))).toEqual(["A", "confirm", "C"]);
    await eventually(() => loadOf(sidecar)).toEqual(noLoad);
  });

  it("get the refusal of one of them in its place", async () => {
    caller.send(queryCall("A") + getCall("/nothing") + queryCall("C"));
    await presto.holds(2);
    expect(caller.received()).toBe("");
    presto.release();
    const answers = await caller.answers(3);
    expect(answers.map(({ status }) => status)).toEqual([200, 403, 200]);
    expect(answers.map(({ headers }) => headers["presto-outcome"])).toEqual([
      "answered",
      "not-sent",
      "answered",
    ]);
  });

  it("get the refusal of a body that is too large in its place, too", async () => {
    caller.send(confirmCall("A") + postCall(walletPaths.init, "x".repeat(2_000)) + queryCall("C"));
    await presto.holds(2);
    expect(caller.received()).toBe("");
    presto.release();
    expect((await caller.answers(3)).map(({ status }) => status)).toEqual([200, 413, 200]);
  });
});

/** What may come behind requests that are under way, and must not answer for them. */
const nonsense: readonly (readonly [string, string])[] = [
  ["bytes that are not HTTP", "nonsense\r\n\r\n"],
  ["CONNECT", "CONNECT presto.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["a head that is too large", `GET / HTTP/1.1\r\nX: ${"x".repeat(20_000)}\r\n\r\n`],
  ["an Upgrade", queryCall("U", "Connection: upgrade", "Upgrade: websocket")],
  ["an unknown expectation", queryCall("U", "Expect: nothing")],
  ["a TLS client's hello", Buffer.from("160301020001000001fc0303", "hex").toString("latin1")],
];

describe("what comes behind a confirm that Presto has", () => {
  it.each(nonsense)("%s: does not answer for it, and does not cut it off", async (_name, bytes) => {
    caller.send(confirmCall("A"));
    await presto.holds(1);
    caller.send(bytes);
    await caughtUp(sidecar);
    expect(caller.received()).toBe("");
    presto.release();
    const [answer] = await caller.answers(1);
    expect(answer).toMatchObject({ status: 200, headers: { "presto-outcome": "answered" } });
  });

  it.each(nonsense)("%s, in the same packet: neither", async (_name, bytes) => {
    caller.send(queryCall("A") + bytes);
    await presto.holds(1);
    presto.release();
    const [answer] = await caller.answers(1);
    expect(answer).toMatchObject({ status: 200, headers: { "presto-outcome": "answered" } });
  });

  it.each(nonsense)("%s, in the same packet behind a whole body: neither", async (_name, bytes) => {
    caller.send(confirmCall("A") + bytes);
    await presto.holds(1);
    presto.release();
    const [answer] = await caller.answers(1);
    expect(answer).toMatchObject({ status: 200, headers: { "presto-outcome": "answered" } });
    await eventually(() => loadOf(sidecar)).toEqual(noLoad);
  });

  it.each([
    ["an empty line", "\r\n"],
    ["another call", confirmCall("B")],
    ["bytes that are not HTTP", "x"],
  ])("%s in the same packet, though it said Connection: close: neither", async (_name, bytes) => {
    caller.send(confirmCall("A", "Connection: close") + bytes);
    await presto.holds(1);
    presto.release();
    const answers = await caller.answers(1);
    await caller.ended();
    expect(targets(answers)).toEqual(["confirm"]);
    expect(presto.requests).toHaveLength(1);
  });

  it.each(nonsense)("%s, behind two calls: both are answered", async (_name, bytes) => {
    caller.send(queryCall("A") + confirmCall("B"));
    await presto.holds(2);
    caller.send(bytes);
    await caughtUp(sidecar);
    presto.release();
    expect(targets((await caller.answers(2)).slice(0, 2))).toEqual(["A", "confirm"]);
  });

  it.each(nonsense)("%s, behind a refused call: both are answered", async (_name, bytes) => {
    caller.send(confirmCall("A") + getCall("/nothing") + bytes);
    await presto.holds(1);
    presto.release();
    expect((await caller.answers(2)).slice(0, 2).map(({ status }) => status)).toEqual([200, 403]);
  });

  it("bytes after Connection: close do not answer for it either", async () => {
    caller.send(confirmCall("A", "Connection: close"));
    await presto.holds(1);
    caller.send("x\r\n\r\n");
    await caughtUp(sidecar);
    expect(caller.received()).toBe("");
    presto.release();
    expect((await caller.answers(1))[0]).toMatchObject({ status: 200 });
  });
});

describe("what comes behind a call that was refused", () => {
  it.each([
    ...nonsense,
    [
      "a body that is too large",
      `POST ${walletPaths.init} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n`,
    ],
  ] as const)("%s: does not answer for it", async (_name, bytes) => {
    caller.send(getCall("/nothing") + bytes);
    expect((await caller.answers(1))[0]?.status).toBe(403);
  });
});

// RFC 9112 section 9.6: who said "Connection: close" must not process further requests on that connection.
describe("after a reply that closes the connection", () => {
  it.each([
    [
      "a refusal of a call whose body was still to come",
      `POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n`,
      "0123456789",
    ],
    [
      "a body that is too large",
      `POST ${walletPaths.init} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n`,
      "x".repeat(2_000),
    ],
    [
      "an expectation that was refused",
      `POST ${walletPaths.init} HTTP/1.1\r\nHost: elsewhere\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n`,
      "0123456789",
    ],
  ])("%s: no further request is served", async (_name, head, body) => {
    caller.send(head);
    const [refusal] = await caller.answers(1);
    expect(refusal?.headers).toMatchObject({ "presto-outcome": "not-sent", connection: "close" });
    caller.send(body + confirmCall("LATER"));
    await caughtUp(sidecar);
    // A call that the sidecar had taken would have got to Presto before this one.
    const other = await openRawCaller(sidecar);
    other.send(queryCall("OTHER"));
    await eventually(() => presto.requests.map(({ requestLine }) => requestLine.split("/").at(-2))).toContain(
      "OTHER HTTP",
    );
    presto.release();
    await other.answers(1);
    other.close();
    expect(presto.requests).toHaveLength(1);
    expect((await caller.answers(1)).length).toBe(1);
  });
});

describe("a caller that sends far ahead of its answers", () => {
  it("is not read on while many are unanswered, and has each answered in the end", async () => {
    const count = 2_000;
    let sent = "";
    for (let index = 0; index < count; index++) sent += queryCall(`T${index}`);
    caller.send(sent);
    await expect.poll(() => presto.waiting.length, { timeout: 40_000 }).toBe(256);
    const { inFlight, queued } = await loadOf(sidecar);
    // What one read of 64 KiB can bring of them, and not more.
    expect((inFlight ?? 0) + (queued ?? 0)).toBeLessThan((64 * 1024) / queryCall("T0").length);
    await caughtUp(sidecar);
    expect(await loadOf(sidecar)).toEqual({ inFlight, queued, buffered: 0 });

    presto.answer((request) => void request.socket.write(echo(request)));
    presto.release();
    await expect.poll(() => caller.received().split("HTTP/1.1 ").length - 1, { timeout: 40_000 }).toBe(count);
    expect(caller.received().match(/HTTP\/1\.1 (?!200)/g)).toBeNull();
    expect(
      caller
        .received()
        .match(/"of":"[^"]*T\d+"/g)
        ?.map((of) => /\d+"$/.exec(of)?.[0]),
    ).toEqual(Array.from({ length: count }, (_, index) => `${index}"`));
  });

  it("has bodies read whole that came after the bound", async () => {
    const references = Array.from({ length: 300 }, (_, index) => `T${index}`);
    const bytes = references.map((reference) => confirmCall(reference)).join("");
    presto.answer((request) => void request.socket.write(echo(request)));
    // In pieces that end in the middle of heads and bodies.
    for (let at = 0; at < bytes.length; at += 1_111) {
      caller.send(bytes.slice(at, at + 1_111));
      await caughtUp(sidecar);
    }
    const answers = await caller.answers(300);
    expect(answers.map(({ body }) => JSON.parse(JSON.parse(body).body).transaction_reference)).toEqual(
      references,
    );
  });
});
