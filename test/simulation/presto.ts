import type { Secret } from "../../src/secret.ts";
import type { Random } from "./random.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimToken, SimTokens } from "./sim-token.ts";
import type { Story } from "./story.ts";
import type { Timeline } from "./timeline.ts";

/** For how long Presto lies about a token that is not new, less than two questions of a probe are apart; and the least time between two such lies. */
const lieMs = 1_500;
const liesEveryMs = 60_000;

/** Presto, as the world knows it: one account with one live token. */
export interface Presto {
  live(): SimToken | undefined;
  /** The truth: does this token work? */
  isLive(token: Secret | null | undefined): boolean;
  /** Did it work at that simulated time, or since? */
  livedSince(token: Secret | null, at: number): boolean;
  /** What it answers to a call with that token: the truth, or a 401 that lies: for a while after an issue, and for a moment now and then. */
  accepts(token: Secret): boolean;
  /** Makes a token and kills the one before, at once. */
  issue(madeFor: string, expiresAt: Date): SimToken;
  /** Ends the live token; nobody gets another for it. */
  killToken(): void;
  isPassword(password: Secret): boolean;
  setPassword(password: Secret): void;
  /** No answers that mean anything for so long. */
  fail(ms: number): void;
  isDown(): boolean;
  wallClock(): number;
  /** An answer that names the time (Date) has come to that process. */
  tellTime(process: SimProcess): void;
  /** The same as that process knows it: by its own clock until an answer has told. */
  timeAsKnownTo(process: SimProcess): number;
}

export interface PrestoOptions {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly story: Story;
  readonly tokens: SimTokens;
  readonly epoch: number;
  readonly lagMs: number;
  readonly password: Secret;
}

export function createPresto(options: PrestoOptions): Presto {
  const { timeline, random, story, tokens, epoch, lagMs } = options;
  let live: SimToken | undefined;
  /** When each token died. */
  const deaths = new Map<string, number>();
  const toldTime = new WeakSet<SimProcess>();
  let password = options.password;
  let downUntil = 0;
  /** One that lags has a replica now and then that has forgotten older tokens too. */
  let lieBegan = Number.NEGATIVE_INFINITY;

  const wallClock = (): number => epoch + timeline.now();

  function current(): SimToken | undefined {
    if (live !== undefined && wallClock() >= live.expiresAt.getTime()) {
      const { name } = live;
      story.tell(() => `${name} has expired`);
      die();
    }
    return live;
  }

  function die(): void {
    if (live !== undefined) deaths.set(live.secret.reveal(), timeline.now());
    live = undefined;
  }

  const isLive = (token: Secret | null | undefined): boolean =>
    token !== null && token !== undefined && current()?.secret.reveal() === token.reveal();

  return {
    live: current,
    isLive,
    livedSince: (token, at) => isLive(token) || (deaths.get(token?.reveal() ?? "") ?? -Infinity) >= at,
    accepts(token) {
      if (!isLive(token)) return false;
      // Its replicas may not have heard of it yet.
      const age = timeline.now() - (live?.bornAt ?? 0);
      if (age < lagMs) return random.chance(0.5);
      if (lagMs === 0) return true;
      const now = timeline.now();
      if (now >= lieBegan + liesEveryMs && random.chance(0.02)) lieBegan = now;
      return now >= lieBegan + lieMs || random.chance(0.2);
    },
    issue(madeFor, expiresAt) {
      const before = current();
      die();
      live = tokens.make({
        bornAt: timeline.now(),
        // One second's resolution, as Presto's created_at has it.
        issuedAt: new Date(Math.floor(wallClock() / 1_000) * 1_000),
        expiresAt,
        madeFor,
      });
      const { name } = live;
      story.tell(() => `Presto issues ${name} to ${madeFor}; ${before?.name ?? "no token"} is dead`);
      return live;
    },
    killToken() {
      story.tell(() => `Presto ends ${live?.name ?? "no token"}`);
      die();
    },
    isPassword: (given) => given.reveal() === password.reveal(),
    setPassword(given) {
      password = given;
    },
    fail(ms) {
      story.tell(() => `Presto is down for ${(ms / 1_000).toFixed(0)} s`);
      downUntil = timeline.now() + ms;
    },
    isDown: () => timeline.now() < downUntil,
    wallClock,
    tellTime: (process) => void toldTime.add(process),
    timeAsKnownTo: (process) => (toldTime.has(process) ? wallClock() : process.clock.now()),
  };
}
