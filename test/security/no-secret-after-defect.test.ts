import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { marksIn } from "../support/marks.ts";
import { startServing } from "../support/source-program.ts";

// Invariant 4 where the program itself is wrong: what it says as it dies, and what it leaves behind.

const token = `1111|Tok${randomBytes(12).toString("hex")}"<&'%\\/+=~`;
const marks = [{ name: "the token", value: token }];
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "presto-defect-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a defect shows no secret", () => {
  /** Loaded before the program: does, at a signal, what a defect in it could do. */
  const plant = `
    const token = process.env.PRESTO_TOKEN;
    const error = () => Object.assign(new Error("a defect with " + token, { cause: new Error(token) }), { token, code: token });
    process.on("SIGWINCH", () => { throw error(); });
    process.on("SIGURG", () => { void Promise.reject(error()); });
    process.on("SIGIO", () => { throw token; });
    process.on("SIGUSR2", () => {
      const report = JSON.stringify(process.report.getReport());
      process.stdout.write("\\nREPORT " + report + "\\nTITLE " + process.title + " REPORT-END\\n");
    });
  `;
  async function startPlanted() {
    const file = join(folder, "plant.mjs");
    writeFileSync(file, plant);
    const program = await startServing({
      env: {
        PRESTO_URL: "https://localhost:1",
        PRESTO_TOKEN: token,
        PRESTO_LISTEN: "127.0.0.1:0",
        PRESTO_ADMIN_LISTEN: "127.0.0.1:0",
        PRESTO_CONTROL_LISTEN: "off",
      },
      nodeArgs: ["--import", file],
    });
    onTestFinished(() => void program.child.kill("SIGKILL"));
    return program;
  }

  it.each(["SIGWINCH", "SIGURG", "SIGIO"] as const)("that ends the process, at %s", async (signal) => {
    const program = await startPlanted();
    program.child.kill(signal);
    expect(await program.ended).toBe(1);
    expect(program.output()).toContain("This is a defect");
    expect(marksIn(program.output(), marks)).toEqual([]);
  });

  it("in a diagnostic report, in the process's title, or by way of a debugger", async () => {
    const program = await startPlanted();
    // Node would open its debugger at this one.
    program.child.kill("SIGUSR1");
    program.child.kill("SIGUSR2");
    const output = await program.says("REPORT-END");
    expect(output).toContain('"javascriptStack"');
    expect(output).not.toContain('"environmentVariables"');
    expect(output).not.toMatch(/Debugger listening|ws:\/\//);
    expect(marksIn(output, marks)).toEqual([]);
  });
});
