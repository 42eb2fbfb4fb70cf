import { createRandom } from "../simulation/random.ts";
import type { Random } from "../simulation/random.ts";
import { moments } from "./kill-nine-moments.ts";
import type { Moment, Span } from "./kill-nine-moments.ts";

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
  const drawn: Moment[] = [];
  while (drawn.length < options.rounds) drawn.push(...shuffle(moments, random));
  const lanes = Array.from({ length: options.lanes }, () => ({ plans: new Array<RoundPlan>(), deaths: 0 }));
  for (const [index, moment] of drawn.slice(0, options.rounds).entries()) {
    const lane = lanes[index % lanes.length];
    if (lane === undefined) throw new Error("there are no lanes");
    const emptied =
      moment.provoke === "first" || (moment.provoke === "revoked" && lane.deaths === mostDeaths);
    if (emptied) lane.deaths = 0;
    if (moment.provoke === "revoked") lane.deaths += 1;
    lane.plans.push({
      number: index + 1,
      moment,
      afterMs: draw(random, moment.afterMs),
      executedAfterMs: maybe(random, moment.executedAfterMs),
      againAfterMs: maybe(random, moment.againAfterMs),
      emptied,
    });
  }
  return lanes.map(({ plans }) => plans);
}

function draw(random: Random, [from, to]: Span): number {
  return Math.round(random.between(from, to) * 10) / 10;
}

function maybe(random: Random, span: Span | undefined): number | undefined {
  return span === undefined ? undefined : draw(random, span);
}

/** Fisher and Yates's shuffle. */
function shuffle<T>(list: readonly T[], random: Random): T[] {
  const shuffled: T[] = [];
  for (const item of list) {
    const at = random.whole(0, shuffled.length);
    const moved = shuffled[at];
    if (moved === undefined) shuffled.push(item);
    else {
      shuffled[at] = item;
      shuffled.push(moved);
    }
  }
  return shuffled;
}
