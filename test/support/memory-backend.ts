import { CommandError } from "../../src/errors.ts";
import type { Backend, Holding, StoredBytes } from "../../src/store/contract.ts";
import type { WritableBackend } from "../../src/store/over-backend.ts";

/** A place in memory that keeps bytes, and counts its writes for a version. */
export interface MemoryPlace {
  /** The place as one process sees it. */
  view(holds: Holding): WritableBackend;
  /** Puts bytes there without asking for a version; undefined takes them away. */
  put(bytes: Uint8Array | undefined): void;
}

export interface MemoryPlaceOptions {
  /** False: a place that tells of no change and has no lock, as many a secret store is. */
  readonly tells: boolean;
}

export function createMemoryPlace({ tells }: MemoryPlaceOptions): MemoryPlace {
  const watchers = new Set<() => void>();
  let stored: StoredBytes | undefined;
  let serial = 0;
  let held: object | undefined;

  function put(bytes: Uint8Array | undefined): string {
    serial += 1;
    stored = bytes && { bytes: Uint8Array.from(bytes), version: String(serial) };
    for (const watcher of watchers) queueMicrotask(() => watchers.has(watcher) && watcher());
    return String(serial);
  }

  const lock: NonNullable<Backend["lock"]> = () => ({
    name: "memory lock",
    async acquire() {
      if (held !== undefined) throw new CommandError("try-again", "Another holds the lock of the memory.");
      const mine = {};
      held = mine;
      const isMine = (): boolean => held === mine;
      return {
        identity: "memory lock",
        heldUntil: () => (isMine() ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY),
        renew: async () => isMine(),
        async release() {
          if (isMine()) held = undefined;
        },
      };
    },
  });

  return {
    view(holds) {
      const mine = new Set<() => void>();
      const watch: NonNullable<Backend["watch"]> = (onChange) => {
        const watcher = (): void => onChange();
        watchers.add(watcher);
        const end = (): void => {
          watchers.delete(watcher);
          mine.delete(end);
        };
        mine.add(end);
        return end;
      };
      return {
        kind: "memory",
        where: `The ${holds === "token" ? "record" : "credentials"} in memory`,
        read: async () => stored,
        async write(bytes, expected) {
          if (stored?.version !== expected) return { outcome: "refused" };
          return { outcome: "written", version: put(bytes) };
        },
        ...(tells ? { watch, lock } : {}),
        close() {
          for (const end of mine) end();
        },
      };
    },
    put,
  };
}
