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
  /** No lane plays more rounds once something is amiss. */
  readonly endsEarly?: boolean;
}

/** Confirms, kills and restarts, as the seed has it. Rejects where a sidecar does not come back at all, once the other lanes are over. */
export async function playMoneyKills(options: RunOptions): Promise<readonly LaneStory[]> {
  const { main, onRound = () => {}, endsEarly = false } = options;
  let isAmiss = false;
  const isOver = (isAmissThere: boolean): boolean => {
    isAmiss ||= isAmissThere;
    return endsEarly && isAmiss;
  };
  const played = await Promise.allSettled(
    planRounds(options).map((plans) => playLane(plans, { main, onRound, isOver })),
  );
  return played.map((lane) => {
    if (lane.status === "rejected") throw lane.reason;
    return lane.value;
  });
}
