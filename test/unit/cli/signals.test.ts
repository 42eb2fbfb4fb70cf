import { EventEmitter } from "node:events";

import { describe, expect, it } from "vitest";

import { StopSignal, watchSignals } from "../../../src/cli/signals.ts";

class FakeProcess extends EventEmitter {
  readonly exits: number[] = [];
  exit(code: number): void {
    this.exits.push(code);
  }
}

describe.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s", (name, exitCode) => {
  it("asks the command to stop, once", () => {
    const process = new FakeProcess();
    const { signal } = watchSignals(process);
    expect(signal.aborted).toBe(false);
    process.emit(name);
    expect(signal.reason).toBeInstanceOf(StopSignal);
    expect((signal.reason as StopSignal).exitCode).toBe(exitCode);
    expect(process.exits).toEqual([]);
  });

  it.each(["SIGINT", "SIGTERM"])(
    `ends the process at once with ${exitCode} when it comes after %s`,
    (first) => {
      const process = new FakeProcess();
      watchSignals(process);
      process.emit(first);
      process.emit(name);
      expect(process.exits).toEqual([exitCode]);
    },
  );
});

describe("SIGHUP", () => {
  it("is left to the system until somebody asks for it", () => {
    const process = new FakeProcess();
    watchSignals(process);
    expect(process.listenerCount("SIGHUP")).toBe(0);
  });

  it("calls back each time, and stops nothing", () => {
    const process = new FakeProcess();
    const { signal, onHangup } = watchSignals(process);
    let hangups = 0;
    onHangup(() => hangups++);
    process.emit("SIGHUP");
    process.emit("SIGHUP");
    expect(hangups).toBe(2);
    expect(signal.aborted).toBe(false);
    expect(process.exits).toEqual([]);
  });
});
