import { setTimeout as pause } from "node:timers/promises";

import { expect } from "vitest";

import type { Sandbox } from "../../src/sandbox/server.ts";
import { openProgramStage, patience, type ProgramStage, type Variables } from "../support/program-stage.ts";
import { issuePath } from "../support/token-host.ts";
import { until } from "../support/until.ts";

// An issue call kills the live token. A store that can't keep the new one has to be found out before.

/** A rotator of the built program that has no token yet, over a store that may not be able to keep one. */
export interface IssuingStage extends ProgramStage {
  rotate(more: Variables): void;
  issues(): number;
  /** It says so, and issues nothing: before that, and for a while after. */
  expectTold(says: RegExp): Promise<void>;
  expectIssued(): Promise<void>;
}

/** Milliseconds after it was told: an issue call would have come by then. */
const watchedMs = 6_000;

/** @param sandbox the issue calls that it has seen before don't count */
export async function openIssuingStage(sandbox: Sandbox): Promise<IssuingStage> {
  sandbox.reset();
  const stage = await openProgramStage(sandbox, {
    PRESTO_ROLE: "rotator",
    PRESTO_LISTEN: undefined,
    PRESTO_EMAIL: sandbox.account.email,
    PRESTO_PASSWORD: sandbox.account.password,
    PRESTO_SETTLE: "2s",
    PRESTO_LOG_LEVEL: "debug",
  });
  const { output } = stage;
  const issues = (): number => sandbox.state().requests[`POST ${issuePath}`] ?? 0;
  return {
    ...stage,
    rotate: (more) => void stage.start(more),
    issues,
    async expectTold(says) {
      await until(() => (says.test(output()) ? true : undefined), {
        ...patience,
        withinMs: 40_000,
        what: () => `${String(says)} in: ${output().slice(-3_000)}`,
      });
      await pause(watchedMs);
      expect(issues()).toBe(0);
      expect(output()).not.toContain(sandbox.account.password);
    },
    async expectIssued() {
      await until(() => (issues() > 0 ? true : undefined), {
        ...patience,
        withinMs: 60_000,
        what: () => `an issue call; the log: ${output().slice(-3_000)}`,
      });
    },
  };
}
