import type { FaultKind } from "./fault-kinds.ts";
import type { SimProcess } from "./sim-process.ts";
import type { World } from "./world.ts";

const hourMs = 3_600_000;

/** Makes the faults that strike at a moment, whatever anybody is doing. */
export function scheduleTimedFaults(world: World): void {
  for (const { at, kind } of world.scenario.timedFaults) {
    world.timeline.after(at, () => {
      if (world.faults.isOver()) return;
      world.faults.count(kind);
      world.story.tell(() => `FAULT ${kind}`);
      make(world, kind);
    });
  }
}

function make(world: World, kind: FaultKind): void {
  const { random, presto, store, faults } = world;
  const sidecars = world.sidecars();
  const sidecar = sidecars.length === 0 ? undefined : random.pick(sidecars);
  switch (kind) {
    case "crash":
      sidecar?.process.kill("just so");
      return;
    case "pause":
    case "suspend":
      if (sidecar !== undefined) faults.pause(sidecar.process, kind === "suspend");
      return;
    case "restart":
      if (sidecar !== undefined) faults.restart(sidecar.process);
      return;
    case "clock-jump": {
      const hours = random.pick([1, 30, 100 * 24]) * random.between(0.5, 1);
      sidecar?.process.jump((random.chance(0.5) ? 1 : -1) * hours * hourMs);
      return;
    }
    case "store-outage":
      store.fail(random.between(1_000, random.pick([5_000, 180_000])));
      return;
    case "backup-restored":
      world.witness.putBack();
      if (store.restoreBackup()) world.wishes.restored();
      return;
    case "record-wiped":
      world.witness.putBack();
      store.wipe();
      world.wishes.restored();
      return;
    case "watch-silent":
      store.silence(random.between(5_000, 120_000));
      return;
    case "watch-cut":
      store.disturbWatches();
      return;
    case "standby-lagging":
      // Once no more faults are made it is as far as any standby is.
      store.standsStill(
        Math.min(
          random.between(500, random.pick([3_000, 20_000])),
          world.scenario.faultsMs - world.timeline.now(),
        ),
      );
      return;
    case "presto-outage":
      presto.fail(random.between(1_000, random.pick([5_000, 90_000])));
      return;
    case "call-broken":
      world.breakConnections(random.between(1_000, 20_000));
      return;
    case "address-moved":
      if (sidecar !== undefined) world.addresses.move(sidecar.process, moveMs(world));
      return;
    case "foreign-issue":
      issueAbroad(world);
      return;
    default:
      throw new Error(`${kind} is no fault of a moment`);
  }
}

/** For how long an address is another one. */
function moveMs({ scenario, random }: World): number {
  if (scenario.kind === "moved") return random.between(30_000, 150_000);
  return random.between(2_000, random.pick([20_000, 120_000]));
}

/** Somebody who is none of us has a token issued on the account. */
export function issueAbroad({ presto, scenario }: World): void {
  const lifeMs = scenario.tokenDays * 24 * hourMs;
  presto.issue("somebody else", new Date(presto.wallClock() + lifeMs));
}

/** What people do of their own accord: they wish for tokens, put one into the store, and change the password. */
export function schedulePeople(world: World): void {
  const { scenario, timeline, random } = world;
  const { faultsMs } = scenario;
  for (const wish of scenario.wishes) {
    const make = (process?: SimProcess): void => {
      const issuers = world.sidecars().filter(({ lifecycle }) => lifecycle !== undefined);
      const asked = issuers.find((sidecar) => sidecar.process === process) ?? issuers[0];
      if (asked !== undefined) world.wishes.make(asked, wish);
    };
    if ("at" in wish.when) timeline.after(wish.when.at, make);
    // A moment after a process has heard of a token of its own, it mostly is not stored yet.
    else
      world.witness.onHeard(
        wish.when.heard,
        (process) => void timeline.after(random.between(0, 60), () => make(process)),
      );
  }
  for (const { at, overIntent, token } of scenario.imports)
    timeline.after(at, () => {
      const importIt = (): void => {
        if (world.faults.isOver()) return;
        world.faults.count("imported");
        world.importToken(token);
      };
      if (overIntent) whenIntent(world, importIt);
      else importIt();
    });
  for (let left = scenario.resets; left > 0; left -= 1)
    timeline.after(random.between(1_000, faultsMs), () => world.resetPassword());
}

/** Soon after an intent stands, or after a minute. */
function whenIntent({ timeline, random, store }: World, run: () => void): void {
  const until = timeline.now() + 60_000;
  const look = (): void => {
    const stands = (store.current()?.record.intent ?? null) !== null;
    if (stands) timeline.after(random.between(0, 3_000), run);
    else if (timeline.now() >= until) run();
    else timeline.after(500, look);
  };
  look();
}
