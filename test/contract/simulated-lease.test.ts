import { createLease } from "../simulation/lease.ts";
import type { Operate } from "../simulation/operate.ts";
import { createRandom } from "../simulation/random.ts";
import { createSimProcess, type SimProcess } from "../simulation/sim-process.ts";
import { createStory } from "../simulation/story.ts";
import { createTimeline } from "../simulation/timeline.ts";
import { describeLock } from "./lock.ts";

const leaseMs = 45_000;

/** What the simulation puts in the place of a Lease is held to what a Lease is. */
describeLock(
  "of the simulation",
  async () => {
    const timeline = createTimeline();
    const random = createRandom(7);
    const story = createStory(timeline, false);
    const cut = new Set<SimProcess>();
    const operate: Operate = ({ process, effect, lost }) => {
      const { promise, resolve, reject } = Promise.withResolvers<ReturnType<typeof effect>>();
      if (!process.isAlive()) return promise;
      const isCut = cut.has(process);
      timeline.after(5, () => {
        if (isCut) {
          process.deliver(5_000, () => reject(lost()));
          return;
        }
        const result = effect();
        process.deliver(5, () => resolve(result));
      });
      return promise;
    };
    const locks = createLease({
      timeline,
      random,
      operate,
      story,
      leaseMs,
      isKept: true,
      isDown: () => false,
      onTaken() {},
    });
    let life = 0;
    return {
      async start() {
        life += 1;
        const process = createSimProcess({
          role: "rotator",
          life,
          timeline,
          random: random.fork(),
          story,
          epoch: 0,
          wallOffset: 0,
        });
        return {
          lock: locks.forProcess(process),
          clock: process.clock,
          kill: () => process.kill("the test says so"),
          cut: () => void cut.add(process),
        };
      },
      async pass(ms) {
        const until = timeline.now() + ms;
        timeline.after(ms, () => {});
        await timeline.run(() => timeline.now() >= until);
      },
      async dispose() {},
    };
  },
  { termMs: leaseMs, isKept: true, handOverMs: 3_500, holder: /^Another simulated process holds the lease/ },
);
