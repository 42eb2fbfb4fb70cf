import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { exchange, openRawCaller } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto, WireRequest } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { createSealedToken } from "../support/sealed-token.ts";
import type { SealedToken } from "../support/sealed-token.ts";
import { eventually, loadOf, noLoad } from "../support/sidecar-load.ts";
import { queryCall } from "../support/wallet-call.ts";

// A 401 that can't be held in memory, as a gateway's page, or while the memory for bodies is full.
let presto: RawPresto;
let sealed: SealedToken;
let sidecar: RunningSidecar;

beforeEach(async () => {
  presto = await startRawPresto();
  sealed = await createSealedToken("token-1");
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: { ...sealed.env, PRESTO_MAX_IN_FLIGHT: "1", PRESTO_TIMEOUT: "60s", PRESTO_HOLD_MAX: "40s" },
  });
});

afterEach(async () => {
  await sidecar.close();
  await presto.close();
  sealed.remove();
});

const largePage = "x".repeat(2 * 1024 * 1024);

function judge(body: string): (request: WireRequest) => void {
  return (request) => {
    const isNew = request.header("authorization") === "Bearer token-2";
    request.socket.write(isNew ? httpAnswer(200) : httpAnswer(401, body, ["Content-Type: text/html"]));
  };
}

describe("a call that was answered with a 401", () => {
  it.each([
    ["in HTML", "<h1>401</h1>"],
    ["too large to hold", largePage],
  ])("%s is sent again with the next token", async (_name, body) => {
    presto.answer(judge(body));
    const caller = await openRawCaller(sidecar);
    caller.send(queryCall("T1"));
    await eventually(() => loadOf(sidecar)).toMatchObject({ queued: 1 });
    await sealed.token("token-2");
    expect((await caller.answers(1))[0]?.status).toBe(200);
    caller.close();
    await eventually(() => loadOf(sidecar)).toEqual(noLoad);
  });

  it("and cut off while it waits for another token, harms nobody else", async () => {
    await sidecar.close();
    sidecar = await startSidecar({
      url: presto.url,
      caPem: presto.authority.certPem,
      env: { ...sealed.env, PRESTO_MAX_BUFFERED: "1KiB", PRESTO_TIMEOUT: "60s", PRESTO_HOLD_MAX: "40s" },
    });
    presto.answer(({ socket }) => {
      socket.write(`HTTP/1.1 401 X\r\nContent-Length: 4000\r\n\r\n${"x".repeat(2000)}`);
    });
    const caller = await openRawCaller(sidecar);
    caller.send(queryCall("T1"));
    await eventually(() => loadOf(sidecar)).toMatchObject({ queued: 1 });
    // An error that nobody listens for would end the whole process.
    presto.requests[0]?.socket.destroy();
    presto.answer(judge("{}"));
    await sealed.token("token-2");
    await caller.answers(1);
    caller.close();
    expect((await exchange(sidecar, queryCall("T2"))).status).toBe(200);
  });

  it("and waits for another token when the sidecar ends, harms nothing", async () => {
    presto.answer(judge(largePage));
    const caller = await openRawCaller(sidecar);
    caller.send(queryCall("T1"));
    await eventually(() => loadOf(sidecar)).toMatchObject({ queued: 1 });
    await sidecar.close();
    await caller.ended();
    sidecar = await startSidecar({ url: presto.url, caPem: presto.authority.certPem });
  });
});
