import { playLane } from "./kill-nine-lane.ts";
import type { LaneStory } from "./kill-nine-lane.ts";
import { planRounds } from "./kill-nine-plan.ts";
import type { RoundStory } from "./kill-nine-story.ts";

export interface RunOptions {
  readonly seed: number;
  readonly rounds: number;
  /** Accounts with a sidecar each, played side by side: most of a round is waiting. */
  readonly lanes: number;
  readonly onRound?: (story: RoundStory) => void;
}

/** Kills and restarts, as the seed has it. Rejects where a sidecar does not come back at all, once the other lanes are over. */
export async function killNine({
  onRound = () => {},
  ...options
}: RunOptions): Promise<readonly LaneStory[]> {
  const played = await Promise.allSettled(planRounds(options).map((plans) => playLane(plans, onRound)));
  return played.map((lane) => {
    if (lane.status === "rejected") throw lane.reason;
    return lane.value;
  });
}
