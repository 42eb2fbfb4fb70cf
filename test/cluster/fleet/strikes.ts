import { setTimeout as pause } from "node:timers/promises";

import type { Random } from "../../simulation/random.ts";
import { issuePath } from "../../support/token-host.ts";
import type { Fleet } from "./fleet.ts";
import type { Stop } from "./ledger.ts";

/** The term of the renewal lock, milliseconds (LEASE). */
export const leaseMs = 45_000;
/** From a wish to the end of a renewal in peace: GRACE and what is around it, milliseconds. */
const renewalMs = 2_600;
const issuePatienceMs = 20_000;

/** A fault that befalls the fleet. Its work is over when all is whole again. */
export interface Strike {
  readonly name: string;
  /** Can it cost a token that nobody heard of, or a death that no intent explains? */
  readonly losesTokens: boolean;
  /** Milliseconds that it takes at least. */
  readonly leastMs: number;
  /** @param stops is added to where a process is stopped past its lease */
  run(fleet: Fleet, random: Random, stops: Stop[]): Promise<void>;
}

const killed: Strike = {
  name: "a rotator is killed at any moment, and started",
  losesTokens: true,
  leastMs: 0,
  async run(fleet, random) {
    const rotator = random.pick(fleet.rotators);
    if (random.chance(0.7)) {
      await rotator.renew("wait=0s");
      await pause(random.between(0, renewalMs));
    }
    await rotator.kill();
    await pause(random.between(0, 4_000));
    rotator.start();
  },
};

const killedInTheCall: Strike = {
  name: "a rotator is killed with its issue call on the way, which is executed later",
  losesTokens: true,
  leastMs: 0,
  async run({ sandbox, rotators, ledger }, random) {
    const fault = sandbox.setFault({ kind: "hold", method: "POST", path: issuePath, times: 1 });
    const coming = ledger.next();
    try {
      await Promise.all(rotators.map(({ renew }) => renew("wait=0s")));
      const call = await Promise.race([coming, pause(issuePatienceMs)]);
      const rotator = rotators.find(({ issuesAs }) => issuesAs() === call?.by);
      if (rotator === undefined) return;
      await pause(random.between(0, 200));
      await rotator.kill();
      rotator.start();
      // Sooner than SETTLE: for longer Presto does not execute a call whose client is gone.
      await pause(random.between(0, 8_000));
    } finally {
      fault.remove();
    }
  },
};

const stoppedPastItsLease: Strike = {
  name: "a rotator is stopped in a renewal, past its lease, and goes on",
  losesTokens: true,
  leastMs: leaseMs + 5_000,
  async run({ rotators }, random, stops) {
    const rotator = random.pick(rotators);
    await rotator.renew("wait=0s");
    await pause(random.between(0, renewalMs));
    const stop: Stop = {
      by: rotator.issuesAs(),
      from: performance.now(),
      to: Number.POSITIVE_INFINITY,
    };
    stops.push(stop);
    rotator.signal("SIGSTOP");
    await pause(leaseMs + 5_000);
    stop.to = performance.now();
    rotator.signal("SIGCONT");
  },
};

const cut: Strike = {
  name: "all connections to the store are reset",
  losesTokens: false,
  leastMs: 0,
  async run({ place }) {
    place.relay.cut();
  },
};

const frozen: Strike = {
  name: "all connections to the store are frozen",
  losesTokens: false,
  leastMs: 0,
  async run({ place }) {
    place.relay.freeze();
  },
};

/** Every strike that the place of this fleet knows, those of its servers included. */
export function strikesOf({ place }: Fleet): readonly Strike[] {
  const outages = place.outages.map(({ name, begin, end }): Strike => ({
    name,
    losesTokens: false,
    leastMs: 0,
    async run(_fleet, random) {
      await begin();
      await pause(random.between(500, 8_000));
      await end();
    },
  }));
  return [...outages, killed, cut, killedInTheCall, frozen, killed, stoppedPastItsLease];
}
