import type { Issuer, ResetEnd } from "../../src/presto/auth.ts";
import type { Fate, Faults } from "./faults.ts";
import type { Presto } from "./presto.ts";
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Story } from "./story.ts";
import type { Timeline } from "./timeline.ts";

export interface SimResetOptions {
  readonly scenario: Scenario;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly story: Story;
  readonly faults: Faults;
  readonly presto: Presto;
  /** The account has another password. */
  readonly onReset: () => void;
}

/** The way of a password reset to Presto and back; executed at a time of Presto's own choosing, or never. */
export function createSimReset(options: SimResetOptions, process: SimProcess): Pick<Issuer, "resetPassword"> {
  const { scenario, timeline, random, story, faults, presto } = options;

  function executionMs({ fault }: Fate): number {
    return fault === "executed-late"
      ? random.between(0, scenario.times.settleMs + 5_000)
      : random.between(10, 400);
  }

  return {
    resetPassword(account, newPassword, { mayBegin, signal }) {
      const { promise, resolve } = Promise.withResolvers<ResetEnd>();
      if (!process.isAlive()) return promise;
      const fate = faults.fate(process, "reset");
      const unclear: ResetEnd = { kind: "unclear", cause: new Error("no answer") };
      if (fate.fault === "crash") {
        timeline.after(0, () => process.kill("before it could reset the password"));
        return promise;
      }
      signal.addEventListener("abort", () => resolve(unclear), { once: true });
      if (fate.fault === "crash-after")
        timeline.after(random.between(0, fate.toMs + fate.backMs + 400), () =>
          process.kill("during its reset"),
        );
      process.deliver(random.between(1, 80), () => {
        if (signal.aborted) return;
        if (presto.isDown() || fate.fault === "not-sent" || !mayBegin()) {
          resolve({ kind: "not-sent", cause: new Error("no connection") });
          return;
        }
        story.tell(() => `${process.name} sends a password reset`);
        if (fate.fault === "never-arrived") return;
        timeline.after(fate.toMs + executionMs(fate), execute);
      });
      return promise;

      function execute(): void {
        const isRight = presto.isPassword(account.password);
        story.tell(() => `Presto ${isRight ? "changes" : "does not change"} the password`);
        if (isRight) {
          presto.setPassword(newPassword);
          if (scenario.resetKillsToken) presto.killToken();
          options.onReset();
        }
        const isLost = fate.fault === "answer-lost" || fate.fault === "gateway-error" || presto.isDown();
        process.deliver(fate.backMs, () => {
          if (isLost) resolve(unclear);
          else if (isRight) resolve({ kind: "reset" });
          else resolve({ kind: "refused", status: 401, detail: "Presto refused e-mail and password." });
        });
      }
    },
  };
}
