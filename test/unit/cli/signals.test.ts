import { EventEmitter } from "node:events";

import { describe, expect, it } from "vitest";

import { StopSignal, watchSignals } from "../../../src/cli/signals.ts";
import { systemClock } from "../../../src/clock.ts";

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
    const { signal } = watchSignals(process, systemClock);
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
      watchSignals(process, systemClock);
      process.emit(first);
      process.emit(name);
      expect(process.exits).toEqual([exitCode]);
    },
  );
});

describe("last words", () => {
  it("are spoken before a second signal ends the process, and cut short by a third", async () => {
    const process = new FakeProcess();
    const { beforeExit } = watchSignals(process, systemClock);
    const spoken = Promise.withResolvers<void>();
    const whys: string[] = [];
    beforeExit((why) => {
      whys.push(why);
      return spoken.promise;
    });
    process.emit("SIGTERM");
    process.emit("SIGTERM");
    expect(process.exits).toEqual([]);
    expect(whys).toEqual(["A second signal (SIGTERM) ends the sidecar at once."]);
    process.emit("SIGINT");
    expect(process.exits).toEqual([130]);
    spoken.resolve();
    await expect.poll(() => process.exits).toEqual([130, 143]);
  });

  it("that have no end, or fail, hold nobody up", async () => {
    for (const words of [new Promise<void>(() => {}), Promise.reject(new Error("no words"))]) {
      const process = new FakeProcess();
      const { beforeExit, end } = watchSignals(process, { sleep: async () => {} });
      beforeExit(() => words);
      end(1, "A defect.");
      await expect.poll(() => process.exits).toEqual([1]);
    }
  });
});

describe("SIGHUP", () => {
  it("is left to the system until somebody asks for it", () => {
    const process = new FakeProcess();
    watchSignals(process, systemClock);
    expect(process.listenerCount("SIGHUP")).toBe(0);
  });

  it("calls back each time, and stops nothing", () => {
    const process = new FakeProcess();
    const { signal, onHangup } = watchSignals(process, systemClock);
    let hangups = 0;
    onHangup(() => hangups++);
    process.emit("SIGHUP");
    process.emit("SIGHUP");
    expect(hangups).toBe(2);
    expect(signal.aborted).toBe(false);
    expect(process.exits).toEqual([]);
  });
});
