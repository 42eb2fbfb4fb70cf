import { hostname } from "node:os";

import { describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { createLog, type Log, type LogOptions } from "../../../src/observe/log.ts";

async function linesOf(
  look: Pick<LogOptions, "format" | "colours">,
  run: (log: Log) => void,
): Promise<string[]> {
  let text = "";
  const destination = {
    write(chunk: string, done: () => void) {
      text += chunk;
      done();
    },
    writableLength: 0,
    on() {},
  };
  const clock = { ...systemClock, now: () => Date.UTC(2026, 10, 24, 12) };
  const log = createLog({ ...look, level: "debug", destination, clock });
  run(log);
  await log.flush();
  return text.split("\n").filter(Boolean);
}

const refused = Object.assign(new Error("never shown"), { code: "ECONNREFUSED", syscall: "connect" });

describe("a line in the Elastic Common Schema", () => {
  it("has its names for what it has names for, and ours under our own", async () => {
    const [line = ""] = await linesOf({ format: "ecs" }, (log) =>
      log.call("info", {
        request_id: "r-1",
        operation: "wallet.confirm",
        outcome: "answered",
        status: 200,
        total_ms: 13.25,
        peer: "127.0.0.1:41234",
        trace_id: "a".repeat(32),
        code: undefined,
      }),
    );
    expect(JSON.parse(line)).toEqual({
      "log.level": "info",
      "@timestamp": "2026-11-24T12:00:00.000Z",
      "ecs.version": "8.17.0",
      "service.name": "presto-sidecar",
      "process.pid": process.pid,
      "host.name": hostname(),
      "http.request.id": "r-1",
      "event.action": "wallet.confirm",
      "presto_sidecar.outcome": "answered",
      "http.response.status_code": 200,
      "event.duration": 13_250_000,
      "client.address": "127.0.0.1:41234",
      "trace.id": "a".repeat(32),
      message: "call",
    });
  });

  it("tells of an error what describeError leaves of it", async () => {
    const [line = ""] = await linesOf({ format: "ecs" }, (log) => log.write("warn", "Odd.", {}, refused));
    expect(JSON.parse(line)).toMatchObject({
      "error.type": "Error",
      "error.code": "ECONNREFUSED",
      "error.message": "Error ECONNREFUSED connect",
      "error.stack_trace": expect.stringContaining("log-format.test.ts"),
    });
    expect(line).not.toContain("never shown");
  });
});

describe("a line for people", () => {
  it("has time, level and message first, then what else is known", async () => {
    const lines = await linesOf({ format: "text" }, (log) => {
      log.write("warn", "Something is odd.", { latch: "token", reason: "No token yet.", ready: false });
      log.write("info", "No connection.", {}, refused);
    });
    expect(lines).toEqual([
      '12:00:00.000Z WARN  Something is odd. latch=token reason="No token yet." ready=false',
      "12:00:00.000Z INFO  No connection. (Error ECONNREFUSED connect)",
    ]);
  });

  it("has colours where that is asked for, and only then", async () => {
    const [line] = await linesOf({ format: "text", colours: true }, (log) => log.write("error", "Odd."));
    expect(line).toBe("12:00:00.000Z \u001B[31mERROR\u001B[39m Odd.");
  });

  it("has no control characters, which a terminal would obey", async () => {
    const [line = ""] = await linesOf({ format: "text" }, (log) =>
      log.write("info", "one\ntwo\u001B[2J", { peer: "a\u001B[31mb\u0007", detail: "x\r\ny" }),
    );
    expect(line).not.toMatch(/\p{Cc}/u);
  });
});
