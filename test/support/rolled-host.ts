import { judgeCalls } from "./judge-calls.ts";
import { startCallers } from "./load-callers.ts";
import type { LoadCallers } from "./load-callers.ts";
import { setStage } from "./renewal-stage.ts";
import type { Stage, StageOptions } from "./renewal-stage.ts";
import { createTokenHost } from "./token-host.ts";
import type { TokenHost } from "./token-host.ts";
import { movedTo, watchCli } from "./watched-cli.ts";
import type { WatchedCli } from "./watched-cli.ts";

export interface RolledOptions {
  /** Variables of every sidecar here, beside those of the host. */
  readonly env: Readonly<Record<string, string>>;
}

/** How a sidecar that was asked to end has ended. */
export interface Ended {
  readonly code: number | null;
  /** From the signal to the end of the process. */
  readonly ms: number;
}

/** A host on which one sidecar after the other runs, with callers all the time. */
export interface RolledHost {
  readonly host: TokenHost;
  readonly callers: LoadCallers;
  /** Starts one, with further variables. */
  start(more?: Readonly<Record<string, string>>): WatchedCli;
  /** The stored token is the live one, and no intent stands. */
  settled(): Promise<void>;
  /** Has a renewal begin that stops in this state, and comes back when it is there. */
  renewUntil(sidecar: WatchedCli, state: string, options: StageOptions): Promise<Stage>;
  /** Sends SIGTERM, lets `then` happen once the drain has begun, and waits for the end. */
  roll(sidecar: WatchedCli, then?: () => Promise<void>): Promise<Ended>;
  /** Ends the callers; what they were told and was not so, and what Presto itself refused them. */
  judge(): Promise<readonly string[]>;
  /** Ends whatever still runs. */
  close(): Promise<void>;
}

const patienceMs = 60_000;

export async function createRolledHost({ env }: RolledOptions): Promise<RolledHost> {
  const host = await createTokenHost();
  const callers = startCallers({ proxy: host.proxy, callers: 3, restMs: 10 });
  const started: WatchedCli[] = [];
  return {
    host,
    callers,
    start(more = {}) {
      const sidecar = watchCli(["start"], { env: host.env({ ...env, ...more }) });
      started.push(sidecar);
      return sidecar;
    },
    settled: () => host.settled(patienceMs),
    async renewUntil(sidecar, state, options) {
      await sidecar.rested(patienceMs);
      const from = sidecar.lines().length;
      const stage = await setStage(host, options);
      // Who asks is told in time, or cut off: neither is looked at here.
      host.renew("1s").catch(() => {});
      const steered = stage.steer(sidecar, from);
      await sidecar.line(movedTo(state), from);
      if (options.issue?.kind === "hold") await stage.issueSeen();
      await steered;
      return stage;
    },
    async roll(sidecar, then = async () => {}) {
      const from = sidecar.lines().length;
      const askedAt = performance.now();
      sidecar.child.kill("SIGTERM");
      await sidecar.line(({ msg }) => msg === "The sidecar drains.", from);
      await then();
      const code = await sidecar.ended;
      return { code, ms: performance.now() - askedAt };
    },
    async judge() {
      await callers.stop();
      const { confirms, transactions } = host.sandbox.state();
      const answered = callers.log.failed().filter(({ end }) => end === "answered");
      return [
        ...judgeCalls(callers.log, { confirms, transactions }),
        ...answered.map(({ kind, status }) => `${kind} was answered ${status}`),
      ];
    },
    async close() {
      for (const { child, ended } of started) {
        child.kill("SIGKILL");
        await ended;
      }
      await callers.stop();
      await host.close();
    },
  };
}
