import type { RenewalOptions } from "../../src/app/renewal.ts";
import {
  composeSidecar,
  type Sidecar,
  type SidecarDeps,
  type SidecarOptions,
} from "../../src/app/sidecar.ts";
import { dayMs } from "../../src/lib/duration.ts";
import type { Emit } from "../../src/lib/events.ts";
import type { Event } from "../../src/observe/events.ts";
import { registeredNetworks } from "./addresses.ts";
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Story } from "./story.ts";
import type { Wishes } from "./wishes.ts";
import type { Witness } from "./witness.ts";

/** What the program makes of its parts, in one simulated process. */
export interface SimSidecar extends Sidecar {
  readonly process: SimProcess;
  readonly role: SidecarOptions["role"];
  /** What its renewals were told; undefined where the role issues nothing. */
  readonly renewal: RenewalOptions | undefined;
}

export interface SimSidecarOptions {
  readonly scenario: Scenario;
  readonly process: SimProcess;
  readonly random: Random;
  readonly story: Story;
  readonly witness: Pick<Witness, "intends" | "moved" | "renewed">;
  readonly wishes: Pick<Wishes, "ended">;
  readonly role: SidecarOptions["role"];
  /** All of it simulated. */
  readonly parts: Omit<SidecarDeps, "clock" | "random" | "emit">;
}

export function createSimSidecar(options: SimSidecarOptions): SimSidecar {
  const { scenario, process, random, role, parts } = options;
  const { times, renewAt, tokenDays, holdMaxMs, pollMs, callDeadlineMs: timeoutMs } = scenario;
  const renewal: RenewalOptions | undefined =
    role === "proxy"
      ? undefined
      : {
          automatic: scenario.kind !== "manual",
          schedule: { renewAt, window: scenario.window, jitter: random.next() },
          times,
          tokenName: "simulated",
          tokenDays,
        };
  const sidecar = composeSidecar(
    {
      role,
      limits: { maxInFlight: 16, maxQueue: 200, maxBuffered: 1_000_000 },
      holdMaxMs,
      pollMs,
      storeIsRemote: scenario.topology !== "file",
      registered: registeredNetworks,
      probe: { reference: "made-up", timeoutMs },
      settle: {
        settleMs: times.settleMs,
        settleOutcomesMs: dayMs,
        questionMs: Math.min(timeoutMs, 10_000),
        // Nobody calls more often in a world, and what ships sets 3 MiB apart.
        mostCompleted: 2_000,
      },
      renewal,
    },
    { ...parts, clock: process.clock, random: () => random.next(), emit: createEmit(options) },
  );
  return { ...sidecar, process, role, renewal };
}

function createEmit({ process, story, witness, wishes }: SimSidecarOptions): Emit<Event> {
  const tell = (what: () => string): void => story.tell(() => `${process.name}: ${what()}`);
  return (event) => {
    switch (event.type) {
      case "renewal-moved":
        tell(() => `${event.from} → ${event.to}`);
        witness.moved(process, event.from, event.to);
        break;
      case "issue-begun":
        witness.intends(process, event.intent, event.reason);
        break;
      case "issue-ended":
        tell(() => `the issue call ended ${event.end}`);
        break;
      case "renewal-ended":
        tell(
          () => `the renewal ended ${event.end.kind}${"detail" in event.end ? `: ${event.end.detail}` : ""}`,
        );
        wishes.ended(process, event.end);
        if (event.end.kind === "renewed") witness.renewed(process, event.end.tokenId);
        break;
      case "alarm-changed":
        tell(() => `ALARM ${event.alarm === undefined ? "cleared" : "set"}`);
        break;
      case "egress-latch-changed":
        tell(() => (event.reason === undefined ? "calls leave again" : `calls are blocked: ${event.reason}`));
        break;
      default:
    }
  };
}

/** What a process has to finish in when it is asked to end (PRESTO_DRAIN_MAX). */
const drainMs = 25_000;

/** SIGTERM: what is under way may be finished, within the time for it; then the process ends. */
export function endInOrder({ process, lifecycle }: SimSidecar): void {
  const end = (): void => process.kill("it was asked to end, and has");
  const last = process.clock.after(drainMs, end);
  if (lifecycle === undefined) {
    end();
    return;
  }
  void lifecycle.drain().then(() => {
    last.cancel();
    // A moment for whoever looks at what it leaves.
    process.deliver(1, end);
  });
}
