import { limit } from "./claims.ts";
import { issueAbroad } from "./timed-faults.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/** By then the alarm must be set. */
const patienceMs = 900_000;
/** For so long nothing may be issued after that. */
const quietMs = 60_000;

/**
 * L4: somebody issues again whenever our token has taken the place of theirs, and never
 * stops. We do, after LIMIT − 1 issues that nothing was due for; then a person ends the
 * rivalry and clears the alarm, and all is well (`onCleared`).
 */
export function playRivalry(world: World, onCleared: () => void): void {
  const { timeline, random, presto, witness, story } = world;
  let rivalLeft = false;

  function strike(): void {
    if (rivalLeft) return;
    if (presto.live()?.madeFor !== "somebody else") issueAbroad(world);
    timeline.after(random.between(2_000, 30_000), strike);
  }

  function watch(): void {
    if (witness.alarmAt() === undefined) {
      if (timeline.now() > patienceMs) throw new Violation("L4", "the rivalry goes on, and no alarm is set");
      timeline.after(500, watch);
      return;
    }
    const { issueCalls, unaskedIssues } = witness.counts();
    if (unaskedIssues > limit - 1 + 2 * world.faults.total())
      throw new Violation("L4", `${unaskedIssues} issues before the alarm was set`);
    world.faults.stop();
    timeline.after(quietMs, () => {
      if (witness.counts().issueCalls !== issueCalls)
        throw new Violation("L4", "a token was asked for though the alarm is set");
      rivalLeft = true;
      clear();
    });
  }

  /** Asks again, should the one that was asked have died. */
  function clear(): void {
    if (witness.alarmAt() === undefined) {
      onCleared();
      return;
    }
    story.tell(() => "a person ends the rivalry and clears the alarm");
    const issuer = world.sidecars().find(({ lifecycle }) => lifecycle !== undefined);
    void issuer?.lifecycle?.renew({ force: true, waitMs: 30_000 });
    timeline.after(5_000, clear);
  }

  timeline.after(random.between(5_000, 40_000), strike);
  timeline.after(1_000, watch);
}
