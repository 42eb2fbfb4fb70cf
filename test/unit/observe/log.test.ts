import { hostname } from "node:os";

import { describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import type { LogFields } from "../../../src/observe/log-fields.ts";
import { createLog, type LogLevel, type LogOptions } from "../../../src/observe/log.ts";
import { Secret } from "../../../src/secret.ts";

const mark = "MARKED-77aa";

/** Runs with a log, and answers its lines as text. */
async function linesOf(
  level: LogLevel,
  run: (log: ReturnType<typeof createLog>) => void,
  look: Pick<LogOptions, "format" | "colours" | "service"> = {},
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
  const log = createLog({
    ...look,
    level,
    destination,
    clock: { ...systemClock, now: () => Date.UTC(2026, 10, 24, 12) },
  });
  run(log);
  await log.flush();
  return text.split("\n").filter((line) => line !== "");
}

describe("the log", () => {
  it("writes one JSON object a line, with level name, ISO time and which process it is", async () => {
    const lines = await linesOf("info", (log) =>
      log.write("warn", "Something is odd.", { latch: "token", reason: undefined }),
    );
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      {
        level: "warn",
        time: "2026-11-24T12:00:00.000Z",
        "service.name": "presto-sidecar",
        pid: process.pid,
        hostname: hostname(),
        latch: "token",
        msg: "Something is odd.",
      },
    ]);
  });

  it("names the service as it is told to", async () => {
    const [line = ""] = await linesOf("info", (log) => log.write("info", "a"), { service: "payments" });
    expect(JSON.parse(line)).toMatchObject({ "service.name": "payments" });
  });

  it("writes only lines of its level and above, and says beforehand which these are", async () => {
    const lines = await linesOf("warn", (log) => {
      expect(log.enabled("info")).toBe(false);
      expect(log.enabled("error")).toBe(true);
      log.write("info", "no");
      log.call("info", {});
      log.write("error", "yes");
    });
    expect(lines).toHaveLength(1);
    expect(await linesOf("silent", (log) => log.write("fatal", "no"))).toEqual([]);
  });

  it("keeps text with line ends in one line", async () => {
    const lines = await linesOf("info", (log) =>
      log.write("info", 'one\n{"level":"fatal"}\r\ntwo', { peer: "a\nb" }),
    );
    expect(lines).toHaveLength(1);
  });

  it("writes of an error what describeError leaves of it", async () => {
    const error = Object.assign(new Error(`Bearer ${mark}`), { code: "EPIPE", headers: mark });
    const lines = await linesOf("info", (log) => {
      log.write("info", "a", {}, error);
      log.call("info", {}, error);
    });
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      expect(JSON.parse(line)).toMatchObject({ err: { name: "Error", code: "EPIPE" } });
      expect(line).not.toContain(mark);
    }
  });

  const names = [
    "authorization",
    "token",
    "password",
    "email",
    "key",
    "cookie",
    "set-cookie",
    "headers",
    "body",
    "query",
    "secret",
  ];

  it.each(names)("censors a field named %s in each format, should anybody ever log one", async (name) => {
    for (const format of ["json", "ecs", "text"] as const) {
      const lines = await linesOf(
        "info",
        (log) => {
          // Types forbid these; a cast or a library might not.
          const flat: unknown = { [name]: mark };
          const nested: unknown = { inner: { [name]: mark, deeper: { [name]: mark } } };
          log.write("info", "a", flat as LogFields);
          log.call("info", flat as LogFields);
          log.write("info", "b", nested as LogFields);
        },
        { format },
      );
      expect(lines).toHaveLength(3);
      expect(lines.join("\n")).not.toContain(mark);
      expect(lines[0]).toContain("[secret]");
    }
  });

  it("prints a Secret as [secret]", async () => {
    const fields: unknown = { given: new Secret(mark) };
    const lines = await linesOf("info", (log) => {
      log.write("info", `with ${String(new Secret(mark))}`, fields as LogFields);
      log.call("info", fields as LogFields);
    });
    expect(lines.join("\n")).not.toContain(mark);
  });
});
