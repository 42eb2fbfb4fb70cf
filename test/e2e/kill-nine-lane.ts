import type { CallEnd, NotedCall } from "../support/caller-log.ts";
import { judgeCalls, movedTwice } from "../support/judge-calls.ts";
import { startCallers } from "../support/load-callers.ts";
import { createTokenHost } from "../support/token-host.ts";
import { watchCli } from "../support/watched-cli.ts";
import type { WatchedCli } from "../support/watched-cli.ts";
import type { Lane } from "./kill-nine-host.ts";
import type { RoundPlan } from "./kill-nine-plan.ts";
import { playRound } from "./kill-nine-round.ts";
import type { RoundStory } from "./kill-nine-story.ts";

/** What a lane came to. */
export interface LaneStory {
  readonly rounds: readonly RoundStory[];
  readonly counts: Readonly<Record<CallEnd, number>>;
  readonly failed: readonly NotedCall[];
  readonly moved: number;
  readonly movedTwice: number;
  readonly problems: readonly string[];
}

/** For a first token; a busy machine takes seconds to start a process. */
const patienceMs = 20_000;

/** Plays the rounds one after the other, with callers all the time, and judges at the end what these were told. */
export async function playLane(
  plans: readonly RoundPlan[],
  onRound: (story: RoundStory) => void,
): Promise<LaneStory> {
  const host = await createTokenHost();
  let current: WatchedCli | undefined;
  const callers = startCallers({ proxy: host.proxy, callers: 3, restMs: 15 });
  const lane: Lane = {
    host,
    callers,
    sidecar() {
      if (current === undefined) throw new Error("no sidecar runs");
      return current;
    },
    start(settle) {
      current = watchCli(["start"], { env: host.env({ PRESTO_SETTLE: settle }) });
      return current;
    },
    async stop() {
      current?.child.kill("SIGTERM");
      const code = await current?.ended;
      return code === 0 ? [] : [`a sidecar that was asked to end ended with ${code}: ${current?.err()}`];
    },
  };
  try {
    const first = lane.start("3s");
    await host.settled(patienceMs);
    await first.rested(patienceMs);
    const rounds: RoundStory[] = [];
    for (const plan of plans) {
      const story = await playRound(lane, plan);
      rounds.push(story);
      onRound(story);
    }
    const problems = [...(await finish(lane))];
    const { confirms, transactions } = host.sandbox.state();
    problems.push(...judgeCalls(callers.log, { confirms, transactions }));
    return {
      rounds,
      counts: callers.log.counts(),
      failed: callers.log.failed(),
      moved: Object.keys(confirms).length,
      movedTwice: movedTwice({ confirms }),
      problems,
    };
  } finally {
    await callers.stop();
    current?.child.kill("SIGKILL");
    await current?.ended;
    await host.close();
  }
}

/** After all the killing one renewal in peace, and an end in good order: nothing may be left over. */
async function finish({ host, callers, stop }: Lane): Promise<readonly string[]> {
  const problems: string[] = [];
  const renewed = await host.renew("20s");
  if (renewed.status !== 200)
    problems.push(`a renewal in peace ended with ${renewed.status}: ${renewed.text}`);
  await callers.stop();
  problems.push(...(await stop()));
  const leftovers = host.leftovers();
  if (leftovers.length > 0) problems.push(`files were left over: ${leftovers.join(", ")}`);
  return problems;
}
