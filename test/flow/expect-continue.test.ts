import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { expectProblem } from "../support/problem-reply.ts";
import { openRawCaller } from "../support/raw-caller.ts";
import type { RawCaller } from "../support/raw-caller.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { eventually } from "../support/sidecar-load.ts";
import { initCall, walletPaths } from "../support/wallet-call.ts";

let presto: RawPresto;
let sidecar: RunningSidecar;
let caller: RawCaller;

beforeAll(async () => {
  presto = await startRawPresto();
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: { PRESTO_MAX_BODY: "1KiB" },
  });
});
afterEach(() => caller.close());
afterAll(async () => {
  await sidecar.close();
  await presto.close();
});

const goOn = "HTTP/1.1 100 Continue\r\n\r\n";

/** Sends a head that asks whether its body is wanted. */
async function ask(
  length: number,
  path: string = walletPaths.init,
  ...lines: readonly string[]
): Promise<void> {
  caller = await openRawCaller(sidecar);
  caller.send(
    [
      `POST ${path} HTTP/1.1`,
      "Host: localhost",
      "Expect: 100-continue",
      `Content-Length: ${length}`,
      ...lines,
      "",
      "",
    ].join("\r\n"),
  );
}

describe("a caller that expects 100-continue", () => {
  it("is told to go on, and its call is made once, without the expectation", async () => {
    await ask(2);
    await eventually(() => caller.received()).toBe(goOn);
    caller.send("{}");
    expect((await caller.answers(1))[0]?.status).toBe(200);
    expect(presto.requests).toHaveLength(1);
    expect(presto.requests[0]?.header("expect")).toBeUndefined();
    expect(presto.requests[0]?.body.toString()).toBe("{}");
  });

  it("and does not wait for it is served, too", async () => {
    caller = await openRawCaller(sidecar);
    const before = presto.requests.length;
    caller.send(initCall("Expect: 100-continue"));
    expect((await caller.answers(1))[0]?.status).toBe(200);
    expect(presto.requests.length - before).toBe(1);
  });

  it.each([
    {
      of: "an operation that is not in the table",
      status: 403,
      code: "operation-not-allowed",
      path: "/nothing",
    },
    { of: "two Hosts", status: 400, code: "bad-request", lines: ["Host: elsewhere"] },
    // RFC 9110 section 10.1.1: where the head alone decides it, the final status comes at once.
    { of: "a length that is too large", status: 413, code: "body-too-large", length: 1025 },
  ])("is refused at once for $of, and not told to go on", async ({ status, code, length, path, lines }) => {
    await ask(length ?? 2, path, ...(lines ?? []));
    const [answer] = await caller.answers(1);
    const proxyStatus = status === 403 ? "http_request_denied" : "http_request_error";
    expectProblem(answer, { status, code, proxyStatus, outcome: "not-sent", retryable: false });
    expect(caller.received()).not.toContain("100 Continue");
    expect(answer?.headers["connection"]).toBe("close");
    await caller.ended();
  });
});
