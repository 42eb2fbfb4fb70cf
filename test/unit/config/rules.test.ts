import { describe, expect, it } from "vitest";

import { examineConfig } from "../../../src/config/load.ts";
import { problemsOf } from "./problems.ts";

const url = { PRESTO_URL: "https://presto.example" };
const least = { ...url, PRESTO_TOKEN: "abc" };

function warningsOf(env: NodeJS.ProcessEnv): readonly string[] {
  const { config, problems } = examineConfig(env, []);
  expect(problems).toEqual([]);
  return config?.warnings ?? [];
}

describe("rules between variables", () => {
  it("trusting a CA file alone needs the file", () => {
    expect(problemsOf({ ...least, PRESTO_CA_ONLY: "maybe" })).toHaveLength(1);
    expect(problemsOf({ ...least, PRESTO_CA_ONLY: "yes" })).toEqual([
      expect.stringMatching(/^PRESTO_CA_FILE: .*PRESTO_CA_ONLY/),
    ]);
    expect(problemsOf({ ...least, PRESTO_CA_ONLY: "yes", PRESTO_CA_FILE: "/ca" })).toEqual([]);
  });

  it.each(["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "presto.internal:1", "127.0.0.1:1,10.0.0.1:2"])(
    "PRESTO_LISTEN=%s is refused unless the unsafe switch is on",
    (text) => {
      expect(problemsOf({ ...least, PRESTO_LISTEN: text })).toEqual([
        expect.stringMatching(/^PRESTO_LISTEN: .*can be reached from elsewhere/),
      ]);
      expect(problemsOf({ ...least, PRESTO_LISTEN: text, PRESTO_UNSAFE_LISTEN_ANYWHERE: "no" })).toHaveLength(
        1,
      );
      expect(
        problemsOf({ ...least, PRESTO_LISTEN: text, PRESTO_UNSAFE_LISTEN_ANYWHERE: "maybe" }),
      ).toHaveLength(2);
      expect(warningsOf({ ...least, PRESTO_LISTEN: text, PRESTO_UNSAFE_LISTEN_ANYWHERE: "yes" })).toEqual([
        expect.stringMatching(/^PRESTO_LISTEN: whoever reaches /),
      ]);
    },
  );

  it.each(["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "presto.internal:1"])(
    "PRESTO_CONTROL_LISTEN=%s is refused whatever else is set",
    (text) => {
      expect(
        problemsOf({ ...least, PRESTO_CONTROL_LISTEN: text, PRESTO_UNSAFE_LISTEN_ANYWHERE: "yes" }),
      ).toEqual([expect.stringMatching(/^PRESTO_CONTROL_LISTEN: .*can be reached from elsewhere/)]);
    },
  );

  it("the admin listener may be reached from anywhere", () => {
    expect(warningsOf({ ...least, PRESTO_ADMIN_LISTEN: "0.0.0.0:7381" })).toEqual([]);
  });

  it.each([
    [
      { PRESTO_LISTEN: "127.0.0.1:1,localhost:1" },
      "PRESTO_LISTEN: 127.0.0.1:1 is already taken by another entry of the list",
    ],
    [
      { PRESTO_LISTEN: "127.0.0.1:7381" },
      "PRESTO_ADMIN_LISTEN: 127.0.0.1:7381 is already taken by PRESTO_LISTEN",
    ],
    [
      { PRESTO_LISTEN: "localhost:7382" },
      "PRESTO_CONTROL_LISTEN: 127.0.0.1:7382 is already taken by PRESTO_LISTEN",
    ],
    [
      { PRESTO_ADMIN_LISTEN: "0.0.0.0:7380" },
      "PRESTO_ADMIN_LISTEN: 0.0.0.0:7380 is already taken by 127.0.0.1:7380 of PRESTO_LISTEN",
    ],
    [
      { PRESTO_ADMIN_LISTEN: "[::]:7382" },
      "PRESTO_CONTROL_LISTEN: 127.0.0.1:7382 is already taken by [::]:7382 of PRESTO_ADMIN_LISTEN",
    ],
    [
      { PRESTO_LISTEN: "unix:/a,unix:/a?mode=0660" },
      "PRESTO_LISTEN: unix:/a is already taken by another entry of the list",
    ],
    [
      { PRESTO_LISTEN: "unix:/a", PRESTO_CONTROL_LISTEN: "unix:/a" },
      "PRESTO_CONTROL_LISTEN: unix:/a is already taken by PRESTO_LISTEN",
    ],
    [
      { PRESTO_LISTEN: "[::1]:1", PRESTO_CONTROL_LISTEN: "[0::1]:1" },
      "PRESTO_CONTROL_LISTEN: [::1]:1 is already taken by PRESTO_LISTEN",
    ],
  ])("%j names one address twice", (env, problem) => {
    expect(problemsOf({ ...least, ...env })).toEqual([problem]);
  });

  it("an address may be used where nobody else uses it", () => {
    expect(
      problemsOf({ ...least, PRESTO_LISTEN: "127.0.0.1:7382,[::1]:7381", PRESTO_CONTROL_LISTEN: "off" }),
    ).toEqual([]);
    expect(
      problemsOf({
        ...least,
        PRESTO_LISTEN: "127.0.0.1:0",
        PRESTO_ADMIN_LISTEN: "127.0.0.1:0",
        PRESTO_CONTROL_LISTEN: "127.0.0.1:0",
      }),
    ).toEqual([]);
  });

  it.each([
    [{ PRESTO_HOLD_MAX: "20s" }, 1],
    [{ PRESTO_HOLD_MAX: "21s" }, 1],
    [{ PRESTO_HOLD_MAX: "19999ms" }, 0],
    [{ PRESTO_HOLD_MAX: "0s" }, 0],
    [{ PRESTO_TIMEOUT: "1s", PRESTO_HOLD_MAX: "1000ms" }, 1],
    [{ PRESTO_TIMEOUT: "1ms" }, 0],
  ])("%j leaves time to send or is refused", (env, count) => {
    const problems = problemsOf({ ...least, ...env });
    expect(problems).toHaveLength(count);
    expect(
      problems.every(
        (problem) => problem.startsWith("PRESTO_HOLD_MAX: ") && problem.includes("less than PRESTO_TIMEOUT"),
      ),
    ).toBe(true);
  });

  it("draining can't begin to end before it ends", () => {
    expect(problemsOf({ ...least, PRESTO_DRAIN_MIN: "26s" })).toEqual([
      "PRESTO_DRAIN_MIN: 26s is more than PRESTO_DRAIN_MAX, which is 25s",
    ]);
    expect(problemsOf({ ...least, PRESTO_DRAIN_MIN: "25s" })).toEqual([]);
  });
});
