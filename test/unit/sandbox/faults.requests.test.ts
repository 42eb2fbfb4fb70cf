import { once } from "node:events";
import { Agent, request } from "node:https";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { createSandbox, type Sandbox } from "../../../src/sandbox/server.ts";
import { call, confirm, failure, init, prefix } from "./client.ts";

const confirmPath = `${prefix}/wallet/confirm`;

describe("faults of requests", () => {
  let sandbox: Sandbox;
  let reference: string;
  beforeEach(async () => {
    sandbox = createSandbox();
    await sandbox.start();
    reference = await init(sandbox);
  });
  afterEach(() => sandbox.close());

  const moved = () => sandbox.state().confirms[reference] ?? 0;

  it.each([
    ["reset-before-reading", 0],
    ["reset-before-acting", 0],
    ["reset-after-acting", 1],
  ] as const)("%s: the client sees a reset, and the money moved %i times", async (kind, times) => {
    sandbox.setFault({ kind, times: 1 });
    await expect(confirm(sandbox, reference)).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(moved()).toBe(times);
    expect((await confirm(sandbox, reference)).status).toBe(200);
    expect(moved()).toBe(times + 1);
  });

  it("reset-before-reading leaves the body unread, reset-before-acting reads it", async () => {
    sandbox.setFault({ kind: "reset-before-reading", times: 1 });
    await expect(confirm(sandbox, reference)).rejects.toThrow(/ECONNRESET|hang up/);
    expect(sandbox.received().map(({ target }) => target)).not.toContain(confirmPath);
    sandbox.setFault({ kind: "reset-before-acting", times: 1 });
    await expect(confirm(sandbox, reference)).rejects.toThrow(/ECONNRESET|hang up/);
    expect(sandbox.received().at(-1)?.target).toBe(confirmPath);
    expect(sandbox.state().requests[`POST ${confirmPath}`]).toBe(2);
  });

  it("a reset strikes a connection that was used before", async () => {
    const agent = new Agent({ keepAlive: true });
    await confirm(sandbox, reference, { agent });
    sandbox.setFault({ kind: "reset-after-acting", times: 1 });
    await expect(confirm(sandbox, reference, { agent })).rejects.toMatchObject({ code: "ECONNRESET" });
    const [before, after] = sandbox.received().slice(-2);
    expect(after?.connection).toBe(before?.connection);
    agent.destroy();
  });

  it("hold: nothing is executed until the fault is removed, then the answer comes", async () => {
    const fault = sandbox.setFault({ kind: "hold", path: confirmPath, times: 1 });
    const held = confirm(sandbox, reference);
    await expect.poll(() => sandbox.received().at(-1)?.target).toBe(confirmPath);
    expect((await call(sandbox, `${prefix}/wallet/transaction/${reference}`)).json.data.status).toBe(
      "pending",
    );
    fault.remove();
    expect((await held).status).toBe(200);
    expect(moved()).toBe(1);
  });

  it("hold with acts: it is executed at once, and the answer waits", async () => {
    const fault = sandbox.setFault({ kind: "hold", path: confirmPath, acts: true });
    const answered = vi.fn<() => void>();
    const held = confirm(sandbox, reference).then(() => answered());
    await expect.poll(() => moved()).toBe(1);
    expect((await call(sandbox, `${prefix}/wallet/transaction/${reference}`)).json.data.status).toBe(
      "completed",
    );
    expect(answered).not.toHaveBeenCalled();
    fault.remove();
    await held;
    expect(moved()).toBe(1);
  });

  it("hold: a request whose client has gone is executed all the same", async () => {
    const fault = sandbox.setFault({ kind: "hold" });
    const body = JSON.stringify({ transaction_reference: reference });
    const leaving = request(`${sandbox.url}${confirmPath}`, {
      method: "POST",
      ca: sandbox.caPem,
      agent: false,
      headers: { authorization: `Bearer ${sandbox.token}`, "content-type": "application/json" },
    });
    leaving.on("error", () => {});
    leaving.end(body);
    await expect.poll(() => sandbox.received().at(-1)?.target).toBe(confirmPath);
    leaving.destroy();
    fault.remove();
    await expect.poll(() => moved()).toBe(1);
  });

  it("hold: closing the sandbox lets nothing be executed that was held", async () => {
    sandbox.setFault({ kind: "hold", path: confirmPath });
    const held = failure(confirm(sandbox, reference));
    await expect.poll(() => sandbox.received().at(-1)?.target).toBe(confirmPath);
    await sandbox.close();
    expect(await held).toBe("ECONNRESET");
    expect(moved()).toBe(0);
  });

  it("slow-head: executed at once, the head comes late", async () => {
    sandbox.setFault({ kind: "slow-head", ms: 40, times: 1 });
    const start = performance.now();
    const slow = confirm(sandbox, reference);
    await expect.poll(moved, { interval: 2 }).toBe(1);
    expect((await slow).status).toBe(200);
    // Timers of Node fire up to a millisecond early.
    expect(performance.now() - start).toBeGreaterThan(38);
  });

  /** Sends a confirm; resolves with what of the answer came, and whether it was all. */
  async function readParts(): Promise<{
    status: number | undefined;
    announced: number;
    first: string;
    complete: boolean;
    all: string;
  }> {
    const asking = request(`${sandbox.url}${confirmPath}`, {
      method: "POST",
      ca: sandbox.caPem,
      agent: false,
      headers: { authorization: `Bearer ${sandbox.token}`, "content-type": "application/json" },
    });
    asking.end(JSON.stringify({ transaction_reference: reference }));
    const [response] = await once(asking, "response");
    const parts: string[] = [];
    response.on("data", (chunk: Buffer) => parts.push(chunk.toString()));
    response.on("error", () => {});
    await new Promise((resolve) => {
      response.on("close", resolve);
    });
    return {
      status: response.statusCode,
      announced: Number(response.headers["content-length"]),
      first: parts[0] ?? "",
      complete: response.complete,
      all: parts.join(""),
    };
  }

  it("slow-body: the head and half of the body come first, in the end all of it", async () => {
    sandbox.setFault({ kind: "slow-body", ms: 40, times: 1 });
    const { status, announced, first, complete, all } = await readParts();
    expect([status, complete]).toEqual([200, true]);
    expect(all).toHaveLength(announced);
    expect(first).toHaveLength(Math.floor(announced / 2));
    expect(JSON.parse(all).data.transaction_reference).toBe(reference);
  });

  it("half-answer: executed, half of the body comes, and the connection ends", async () => {
    sandbox.setFault({ kind: "half-answer", times: 1 });
    const { status, announced, complete, all } = await readParts();
    expect([status, complete]).toEqual([200, false]);
    expect(all).toHaveLength(Math.floor(announced / 2));
    expect(moved()).toBe(1);
  });

  it("garbage: executed, and what comes is not HTTP", async () => {
    sandbox.setFault({ kind: "garbage", times: 1 });
    await expect(confirm(sandbox, reference)).rejects.toMatchObject({ code: /^HPE_/ });
    expect(moved()).toBe(1);
  });

  it.each([401, 429, 500, 503])(
    "status %i comes in Presto's shape, and nothing is executed",
    async (status) => {
      sandbox.setFault({ kind: "status", status, message: "Because.", times: 1 });
      const answer = await confirm(sandbox, reference);
      expect([answer.status, answer.json, answer.headers["retry-after"]]).toEqual([
        status,
        { message: "Because." },
        undefined,
      ]);
      expect(moved()).toBe(0);
    },
  );

  it("429 says when to come again, if it is told to", async () => {
    sandbox.setFault({ kind: "status", status: 429, retryAfter: 7 });
    expect((await confirm(sandbox, reference)).headers["retry-after"]).toBe("7");
  });

  it("with acts, a wrong answer hides a call that was executed", async () => {
    sandbox.setFault({ kind: "status", status: 504, acts: true, times: 1 });
    expect((await confirm(sandbox, reference)).status).toBe(504);
    expect(moved()).toBe(1);
    sandbox.setFault({ kind: "html", acts: true, times: 1 });
    await confirm(sandbox, reference);
    expect(moved()).toBe(2);
  });

  it("html: a gateway's page", async () => {
    sandbox.setFault({ kind: "html", times: 1 });
    const answer = await confirm(sandbox, reference);
    expect([answer.status, answer.headers["content-type"]]).toEqual([502, "text/html; charset=utf-8"]);
    expect(answer.text).toMatch(/^<!DOCTYPE html>/);
    expect(moved()).toBe(0);
  });

  it("answer: exactly what was given", async () => {
    const headers = { location: "https://elsewhere.example/", "set-cookie": "a=b" };
    sandbox.setFault({ kind: "answer", status: 302, headers, body: "gone" });
    const answer = await confirm(sandbox, reference);
    expect([answer.status, answer.text]).toEqual([302, "gone"]);
    expect(answer.headers).toMatchObject({
      location: headers.location,
      "set-cookie": ["a=b"],
      "content-length": "4",
    });
  });

  it("exactly-once accounting tells a confirm that was sent twice from one that was not", async () => {
    const other = await init(sandbox);
    sandbox.setFault({ kind: "reset-after-acting", times: 1 });
    await expect(confirm(sandbox, reference)).rejects.toThrow(/ECONNRESET|hang up/);
    await confirm(sandbox, reference);
    await confirm(sandbox, other);
    expect(sandbox.state().confirms).toEqual({ [reference]: 2, [other]: 1 });
    expect(sandbox.state().transactions.map(({ confirms }) => confirms)).toEqual([2, 1]);
  });
});
