import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { exchange } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { callLines, eventually } from "../support/sidecar-load.ts";
import { confirmCall, getCall, queryCall } from "../support/wallet-call.ts";

let presto: RawPresto;
let sidecar: RunningSidecar;

beforeAll(async () => {
  presto = await startRawPresto();
  sidecar = await startSidecar({ url: presto.url, caPem: presto.authority.certPem });
});

afterAll(async () => {
  await sidecar.close();
  await presto.close();
});

/** Makes a call, and tells the ids that its caller, Presto and the log saw. */
async function ids(bytes: string) {
  const before = callLines(sidecar).length;
  const { headers } = await exchange(sidecar, bytes);
  await eventually(() => callLines(sidecar).length).toBe(before + 1);
  return {
    returned: headers["x-request-id"],
    sent: presto.requests.at(-1)?.header("x-request-id"),
    logged: callLines(sidecar).at(-1)?.["request_id"],
  };
}

const made = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);

describe("X-Request-Id", () => {
  it.each(["a", "order-7.B_x", "0".repeat(128)])("of the caller is kept: %s", async (id) => {
    expect(await ids(queryCall("T1", `X-Request-Id: ${id}`))).toEqual({ returned: id, sent: id, logged: id });
  });

  it.each([
    ["none", []],
    ["an empty one", ["X-Request-Id:"]],
    ["one of 129 characters", [`X-Request-Id: ${"0".repeat(129)}`]],
    ["one with a space", ["X-Request-Id: a b"]],
    ["one with a tilde", ["X-Request-Id: a~b"]],
    ["one with a slash", ["X-Request-Id: a/b"]],
    ["two", ["X-Request-Id: a", "X-Request-Id: a"]],
  ] as const)("is made for a call with %s, and is the same everywhere", async (_name, lines) => {
    const seen = await ids(queryCall("T1", ...lines));
    expect(seen).toEqual({ returned: made, sent: seen.returned, logged: seen.returned });
  });

  it("is made anew for each call", async () => {
    const [one, other] = [await ids(queryCall("T1")), await ids(queryCall("T1"))];
    expect(one.returned).not.toBe(other.returned);
  });

  it("is the caller's on a refusal too", async () => {
    expect(await ids(getCall("/nothing", "X-Request-Id: r-1"))).toMatchObject({
      returned: "r-1",
      logged: "r-1",
    });
  });

  it("is made where the request could not be read", async () => {
    const seen = await ids("nonsense\r\n\r\n");
    expect(seen).toMatchObject({ returned: made, logged: seen.returned });
  });

  it("of Presto's own never takes its place", async () => {
    presto.answer(({ socket }) => void socket.write(httpAnswer(200, "{}", ["X-Request-Id: theirs"])));
    expect((await ids(queryCall("T1", "X-Request-Id: ours"))).returned).toBe("ours");
  });

  it("is also that of the question what became of a confirm", async () => {
    presto.answer(({ socket, requestLine }) => {
      if (requestLine.startsWith("POST")) socket.destroy();
      else socket.write(httpAnswer(200, '{"data":{"status":"completed"}}'));
    });
    const before = presto.requests.length;
    await exchange(sidecar, confirmCall("T1", "X-Request-Id: c-1"));
    const asked = presto.requests.slice(before);
    expect(asked.map((request) => request.requestLine.split(" ")[0])).toEqual(["POST", "GET"]);
    expect(asked.map((request) => request.header("x-request-id"))).toEqual(["c-1", "c-1"]);
  });
});
