import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

import { createCrew } from "./crew.ts";
import { findAgain, findFailures } from "./prove.ts";
import { deliberateFaults } from "./put-fault-in.ts";

const main = fileURLToPath(new URL("main.ts", import.meta.url));
/** Within so many seeds each deliberate fault must be found. */
const mostSeeds = 6_000;

function simulate(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { maxBuffer: 2 ** 26 }, (error, out, err) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err });
    });
  });
}

/** What the proof found: see docs/simulation.md. */
const page = readFileSync(fileURLToPath(new URL("../../docs/simulation.md", import.meta.url)), "utf8");

describe("the simulation", () => {
  it("finds every property kept", async () => {
    expect(await findFailures(createCrew(2, { fault: undefined }), 1, 400, 1)).toEqual([]);
  });

  it.each(deliberateFaults)("finds the deliberate fault $name", async ({ name }) => {
    const found = await findAgain(name, { page, count: mostSeeds });
    expect(found).toBeDefined();
    // A program that merely breaks down was not caught by a property.
    expect(found?.failure?.property).not.toBe("defect");
  });

  it("prints the story of a seed that fails, and how to play it again", async () => {
    const { code, out } = await simulate("--seeds", "100", "--fault", "resend-on-reset");
    expect(code).toBe(1);
    const again = /--seed (\d+) --story --fault resend-on-reset/.exec(out);
    const replay = await simulate("--seed", again?.[1] ?? "", "--story", "--fault", "resend-on-reset");
    expect(replay.code).toBe(1);
    const story = (text: string): string[] => text.split("\n").filter((line) => / s {2}/.test(line));
    expect(story(replay.out).length).toBeGreaterThan(2);
    expect(story(replay.out)).toEqual(story(out));
  });

  it("says what it did where nothing failed", async () => {
    const { code, out } = await simulate("--seeds", "20");
    expect(code).toBe(0);
    expect(out).toMatch(/^seeds {9}20, 0 failed$/m);
    expect(out).toMatch(/^issue calls {3}\d+$/m);
  });

  it("refuses a fault that it does not know, and a number that is none", async () => {
    expect((await simulate("--seeds", "1", "--fault", "nothing")).code).not.toBe(0);
    const { code, err } = await simulate("--seeds", "many");
    expect(code).toBe(64);
    expect(err).toContain("--seeds must be a whole number");
  });
});
