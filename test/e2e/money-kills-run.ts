import type { Caller } from "./money-kills-callers.ts";
import { type LaneStory, playLane } from "./money-kills-lane.ts";
import { planRounds } from "./money-kills-plan.ts";
import type { RoundStory } from "./money-kills-round.ts";

export interface RunOptions {
  readonly seed: number;
  readonly rounds: number;
  /** Prestos with a sidecar each, played side by side: most of a round is waiting. */
  readonly lanes: number;
  /** The program's first file; that of the last build unless given. */
  readonly main?: string;
  readonly onRound?: (story: RoundStory) => void;
  readonly isEnough?: (story: RoundStory, callers: readonly Caller[]) => boolean;
}

/** Confirms, kills and restarts, as the seed has it. Rejects where a sidecar does not come back at all, once the other lanes are over. */
export async function playMoneyKills(options: RunOptions): Promise<readonly LaneStory[]> {
  const { main, onRound = () => {}, isEnough = () => false } = options;
  const played = await Promise.allSettled(
    planRounds(options).map((plans) => playLane(plans, { main, onRound, isEnough })),
  );
  return played.map((lane) => {
    if (lane.status === "rejected") throw lane.reason;
    return lane.value;
  });
}
