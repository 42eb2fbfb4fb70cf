import type { Lifecycle } from "../../src/renewal/lifecycle.ts";
import type { RenewalEnd, RenewReply, RenewRequest } from "../../src/renewal/types.ts";
import type { Secret } from "../../src/secret.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Story } from "./story.ts";
import type { Timeline } from "./timeline.ts";
import { Violation } from "./violation.ts";

/**
 * People who want a token, and what they are told. Whoever is told of one gets one that was in nobody's hand when
 * they asked; and what was told to be under way comes, unless its process ends or Presto refuses.
 */
export interface Wishes {
  /** Asks this process, and sees what comes of it. */
  make(asked: Asked, wish: RenewRequest): void;
  /** By force, where nothing else helps. */
  force(asked: Asked): void;
  /** How often that was done. */
  forced(): number;
  /** A process has heard of a token of its own. */
  heard(token: Secret): void;
  /** A token stands in the store, by anybody's hand. */
  stored(token: Secret | null): void;
  /** A record that stood there before has been put back: of what it holds nobody knew when they asked. */
  restored(): void;
  /** A renewal of this process has ended. */
  ended(process: SimProcess, end: RenewalEnd): void;
  isEnding(process: SimProcess): void;
  /** What somebody still waits for; undefined where nobody does. */
  open(): string | undefined;
}

/** Whom a person asks. */
export interface Asked {
  readonly process: SimProcess;
  readonly lifecycle: Pick<Lifecycle, "renew"> | undefined;
}

interface Standing {
  readonly process: SimProcess;
  readonly at: number;
  /** They were told that it is under way. */
  isToldLater: boolean;
}

export function createWishes(options: {
  readonly timeline: Timeline;
  readonly story: Story;
  readonly onError: (error: unknown) => void;
}): Wishes {
  const { timeline, story } = options;
  /** Since when somebody had each token in hand, stored or not. */
  const seen = new Map<string, number>();
  /** Of those that were ever stored, when the one that was seen last was seen first. */
  let newestStored = Number.NEGATIVE_INFINITY;
  let restoredAt = Number.NEGATIVE_INFINITY;
  let forced = 0;
  let standing: Standing[] = [];

  function see(token: Secret): number {
    const text = token.reveal();
    const since = seen.get(text) ?? timeline.now();
    seen.set(text, since);
    return since;
  }

  const isFulfilled = ({ at }: Standing): boolean => newestStored >= at || restoredAt >= at;

  function drop(process: SimProcess): void {
    standing = standing.filter((wish) => wish.process !== process);
  }

  function judge(wish: Standing, reply: RenewReply): void {
    story.tell(() => `${wish.process.name} answers the person: ${reply.kind}`);
    if (reply.kind === "under-way") {
      wish.isToldLater = true;
      // It may have come at that very moment.
      if (isFulfilled(wish)) standing = standing.filter((other) => other !== wish);
      return;
    }
    standing = standing.filter((other) => other !== wish);
    if (reply.kind === "renewed" && !isFulfilled(wish))
      throw new Violation(
        "wish",
        `${wish.process.name} says that there is a new token, and it was in somebody's hand before`,
      );
  }

  return {
    make({ process, lifecycle }, wish) {
      if (lifecycle === undefined) return;
      story.tell(() => `a person wants a token from ${process.name}`);
      const made: Standing = { process, at: timeline.now(), isToldLater: false };
      standing.push(made);
      process.onDeath(() => drop(process));
      lifecycle
        .renew(wish)
        .then((reply) => judge(made, reply))
        .catch(options.onError);
    },
    force({ process, lifecycle }) {
      forced += 1;
      story.tell(() => `a person has ${process.name} renew by force`);
      void lifecycle?.renew({ force: true, waitMs: 30_000 });
    },
    forced: () => forced,
    heard: (token) => void see(token),
    stored(token) {
      if (token === null) return;
      newestStored = Math.max(newestStored, see(token));
      standing = standing.filter((wish) => !wish.isToldLater || !isFulfilled(wish));
    },
    restored() {
      restoredAt = timeline.now();
      standing = standing.filter((wish) => !wish.isToldLater);
    },
    ended(process, { kind }) {
      if (kind === "refused" || kind === "stopped" || kind === "shut-down")
        standing = standing.filter((wish) => !wish.isToldLater || wish.process !== process);
    },
    isEnding: drop,
    open() {
      const wish = standing.find(({ isToldLater }) => isToldLater);
      return wish && `a person was told that ${wish.process.name} sees to a new token, and none came`;
    },
  };
}
