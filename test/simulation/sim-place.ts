import type { Emit, Warning } from "../../src/lib/events.ts";
import type { Backend, Home, StoredBytes } from "../../src/store/contract.ts";
import type { WritableBackend } from "../../src/store/over-backend.ts";
import { requestMs } from "../../src/store/remote.ts";
import type { OperationKind } from "./fault-kinds.ts";
import type { Operate } from "./operate.ts";
import type { Random } from "./random.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Story } from "./story.ts";
import type { Timeline } from "./timeline.ts";

/** A server that keeps the record's bytes, and what is done to it. */
export interface Place {
  /** What stands in it, in truth. */
  current(): StoredBytes | undefined;
  /** The adapter that ships, over this server. @param isStruck faults that are drawn for operations befall this one's */
  open(
    process: SimProcess,
    isStruck: boolean,
    emit: Emit<Warning>,
  ): WritableBackend & Partial<Pick<Backend, "watch" | "pollMs">>;
  /** Which object it is, as its adapter names it. */
  identity(): Home | undefined;
  /** Puts bytes there, by no protocol. */
  put(bytes: Uint8Array): void;
  /** The same with what stood there under that version. */
  putBack(bytes: Uint8Array, wasVersion: string): void;
  /** Takes the object away, or what is in it. */
  wipe(): void;
  fail(ms: number): void;
  isDown(): boolean;
  /** Watches stay open, and tell nothing for so long. */
  silence(ms: number): void;
  /** Watches are cut off, or what they began from is forgotten (410). */
  disturbWatches(): void;
  /** Replicas that answer reads have not heard of what was written, for so long. */
  standsStill(ms: number): void;
}

export interface PlaceOptions {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly story: Story;
  readonly operate: Operate;
  /** Two sites have objects of their own. */
  readonly site: string;
  /** Wall clock of the servers. */
  readonly epoch: number;
  /** Share of the watch's notices that never come: the watch that would have brought one is dead from then on. */
  readonly lostNotices: number;
  /** A write was applied, whenever its writer hears of it. */
  readonly onWrite: (
    process: SimProcess,
    before: StoredBytes | undefined,
    after: StoredBytes | undefined,
  ) => void;
}

/** One exchange with a server. */
export interface Ask<T = unknown> {
  readonly process: SimProcess;
  readonly isStruck: boolean;
  readonly kind: OperationKind;
  readonly isWrite: boolean;
  readonly serve: () => T;
}

export interface Asking {
  exchange<T>(ask: Ask<T>): Promise<T>;
  fail(ms: number): void;
  isDown(): boolean;
}

/** Carries requests to a server, which may be away, and answers back, in their time or never. */
export function createAsk({ timeline, random, story, operate }: PlaceOptions, lost: () => Error): Asking {
  let downUntil = 0;
  const isDown = (): boolean => timeline.now() < downUntil;

  function serve<T>({ isWrite, serve: answer }: Ask<T>): T {
    // In an outage most writes fail; of some only the answer is lost.
    if (isDown() && !(isWrite && random.chance(0.2))) throw lost();
    const result = answer();
    if (isDown()) throw lost();
    return result;
  }

  function unstruck<T>(ask: Ask<T>): Promise<T> {
    const { process } = ask;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (!process.isAlive()) return promise;
    timeline.after(random.between(1, 40), () => {
      let answer: () => void;
      try {
        const result = serve(ask);
        answer = () => resolve(result);
      } catch (error) {
        answer = () => reject(error);
      }
      process.deliver(random.between(1, 40), answer);
    });
    return promise;
  }

  return {
    exchange<T>(ask: Ask<T>): Promise<T> {
      if (!ask.isStruck) return unstruck(ask);
      const { process, kind } = ask;
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      // The client gives up what takes longer; it may take effect all the same.
      const timer = process.clock.after(requestMs, () => reject(lost()));
      operate({ process, kind, effect: () => serve(ask), lost })
        .finally(() => timer.cancel())
        .then(resolve, reject);
      return promise;
    },
    fail(ms) {
      story.tell(() => `the store's server is away for ${(ms / 1_000).toFixed(0)} s`);
      downUntil = timeline.now() + ms;
    },
    isDown,
  };
}
