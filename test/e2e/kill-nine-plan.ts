import { createRandom } from "../simulation/random.ts";
import type { Random } from "../simulation/random.ts";
import { deal, drawIn, type Span } from "../support/deck.ts";
import { moments } from "./kill-nine-moments.ts";
import type { Moment } from "./kill-nine-moments.ts";

/** One round, as the seed draws it. Milliseconds; the machine's own timing is not in it. */
export interface RoundPlan {
  readonly number: number;
  readonly moment: Moment;
  readonly afterMs: number;
  readonly executedAfterMs: number | undefined;
  readonly againAfterMs: number | undefined;
  /** The store is emptied first, so that deaths from outside do not add up to the alarm. */
  readonly emptied: boolean;
}

/** The alarm is latched at the fourth death within ten minutes. */
const mostDeaths = 2;

/** The same rounds for the same seed: decks of all moments, each shuffled anew, dealt to the lanes in turn. */
export function planRounds(options: {
  readonly seed: number;
  readonly rounds: number;
  readonly lanes: number;
}): readonly (readonly RoundPlan[])[] {
  const random = createRandom(options.seed);
  const lanes = Array.from({ length: options.lanes }, () => ({ plans: new Array<RoundPlan>(), deaths: 0 }));
  for (const [index, moment] of deal(moments, options.rounds, random).entries()) {
    const lane = lanes[index % lanes.length];
    if (lane === undefined) throw new Error("there are no lanes");
    const emptied =
      moment.provoke === "first" || (moment.provoke === "revoked" && lane.deaths === mostDeaths);
    if (emptied) lane.deaths = 0;
    if (moment.provoke === "revoked") lane.deaths += 1;
    lane.plans.push({
      number: index + 1,
      moment,
      afterMs: drawIn(random, moment.afterMs),
      executedAfterMs: maybe(random, moment.executedAfterMs),
      againAfterMs: maybe(random, moment.againAfterMs),
      emptied,
    });
  }
  return lanes.map(({ plans }) => plans);
}

function maybe(random: Random, span: Span | undefined): number | undefined {
  return span === undefined ? undefined : drawIn(random, span);
}
