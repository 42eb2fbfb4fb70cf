import { type BigIntStats, type FSWatcher, watch } from "node:fs";
import { stat, statfs } from "node:fs/promises";
import { basename, dirname } from "node:path";

import { type Clock, systemClock, type Timer } from "../clock.ts";
import { ask, StalledError } from "./stalls.ts";

export interface WatchedFileOptions {
  /** The file, or a link to it. Neither it nor its folder need be there yet. */
  readonly path: string;
  readonly clock: Clock;
  /** Milliseconds between two looks at the file, for changes that no event told of. */
  readonly pollMs?: number;
  /** Called after a change, its appearance and its disappearance included; now and then without one. Must not throw. */
  readonly onChange: () => void;
}

/** A watch that goes on until it is closed. */
export interface WatchedFile {
  /** Resolves once it watches and has looked, or the file system does not answer. */
  readonly ready: Promise<void>;
  close(): void;
}

/** What a mount puts in the place of the file's folder when it swaps the content (Kubernetes, AtomicWriter). */
const swappedLink = "..data";

/**
 * Tells of changes to a file's content. It watches the folder, because a Kubernetes mount
 * swaps a link beside the file and a watch on the file itself then goes silent; and it
 * polls, because network mounts give no events and the system may refuse a watch
 * (ENOSPC, EMFILE). Every change after this function returned is told; several close
 * together may be told once. It keeps no process alive,
 * and a watch that breaks is made anew. While the file system does not answer nothing is known,
 * and nothing told.
 */
export function createWatchedFile(options: WatchedFileOptions): WatchedFile {
  const { path, clock, onChange, pollMs = 5_000 } = options;
  const folder = dirname(path);
  const names = new Set<string | null>([basename(path), swappedLink, null]);

  let closed = false;
  let timer: Timer | undefined;
  let watcher: FSWatcher | undefined;
  let watchedFolder: string | undefined;
  const begunAt = systemClock.now();
  /** A name in the folder came, went or was swapped at about the time at which the watch began. */
  let folderChanged = false;
  let seen: Identity = unknown;
  let looking = false;
  let lookAgain = false;
  /** An event named the file: told even where its identity is the same, for two writes can share one tick of the file system's clock. */
  let named = false;

  function dropWatcher(): void {
    watcher?.close();
    watcher = undefined;
    watchedFolder = undefined;
  }

  /** A folder that was removed and made again is another one: the watch on the first is silent for ever. */
  async function watchFolder(): Promise<void> {
    const found = await identifyFolder(folder);
    if (closed || found === unknown) return;
    if (seen === unknown) folderChanged = found === undefined || isAsYoung(found, begunAt);
    const current = found?.slice(0, found.lastIndexOf(":"));
    if (current !== undefined && watcher !== undefined && current === watchedFolder) return;
    dropWatcher();
    if (current === undefined) return;
    try {
      watcher = watch(folder, { persistent: false }, (_event, name) => {
        named ||= names.has(name);
        void look();
      });
      watcher.on("error", dropWatcher);
      watchedFolder = current;
    } catch {
      // The system gives no watch: the poll alone has to do, and asks for one each time.
      dropWatcher();
    }
  }

  /** One look at a time; whatever happens during it is looked at right after. */
  async function look(): Promise<void> {
    lookAgain = true;
    if (looking) return;
    looking = true;
    try {
      while (lookAgain && !closed) {
        lookAgain = false;
        const byName = named;
        named = false;
        const identity = await identityOf(path);
        if (closed || identity === unknown) continue;
        const changed = seen === unknown ? folderChanged || isAsYoung(identity, begunAt) : identity !== seen;
        seen = identity;
        if (changed || byName) onChange();
      }
    } finally {
      looking = false;
    }
  }

  function poll(): void {
    timer = clock.after(pollMs, poll);
    void watchFolder().then(look);
  }

  timer = clock.after(pollMs, poll);

  return {
    // The watch first: what changes after the first look is told by it.
    ready: watchFolder().then(look),
    close() {
      closed = true;
      timer?.cancel();
      dropWatcher();
    },
  };
}

/** Watches of one thing for several who ask, each until its own end or the end of all. */
export interface Watches {
  /** Calls back after a change. Returns what ends this watch. */
  watch(onChange: () => void): () => void;
  close(): void;
}

/** What a place that lies in files offers of `watch` and `close`. Watches nothing until it is asked to. */
export function createFileWatches(paths: readonly string[], clock: Clock): Watches {
  const endings = new Set<() => void>();
  return {
    watch(onChange) {
      const watches = paths.map((path) => createWatchedFile({ path, clock, onChange }));
      const end = (): void => {
        for (const watched of watches) watched.close();
        endings.delete(end);
      };
      endings.add(end);
      return end;
    },
    close() {
      for (const end of endings) end();
    },
  };
}

/** What tells one content of a path from the next; undefined: not there, or any failure. */
type Identity = string | undefined | typeof unknown;

/** The file system does not answer, or has not been asked yet. */
const unknown = Symbol("unknown");

/**
 * Tells one content of a path from the next without reading it. The change time is part
 * of it: unlike the modification time it can't be set back.
 */
function formatIdentity(stats: BigIntStats): string {
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(":");
}

/** The kernel's clock for files goes in ticks, of 10 ms at most. */
const tickMs = 10;

/** Can the last change have come between the beginning of a watch and its first look? */
function isAsYoung(identity: string | undefined, begunAt: number): boolean {
  if (identity === undefined) return true;
  const changedNs = identity.slice(identity.lastIndexOf(":") + 1);
  return Number(changedNs) / 1e6 >= begunAt - tickMs;
}

function identityOf(path: string): Promise<Identity> {
  return identify(path, async () => formatIdentity(await stat(path, { bigint: true })));
}

/** Which folder it is, and when it changed, if it may be watched. */
function identifyFolder(folder: string): Promise<Identity> {
  return identify(`${folder}/.`, async () => {
    if (process.platform === "linux" && !localTypes.has((await statfs(folder)).type)) return undefined;
    const { dev, ino, ctimeNs } = await stat(folder, { bigint: true });
    return `${dev}:${ino}:${ctimeNs}`;
  });
}

async function identify(path: string, work: () => Promise<Identity>): Promise<Identity> {
  try {
    return await ask(path, work);
  } catch (error) {
    return error instanceof StalledError ? unknown : undefined;
  }
}

/**
 * File systems of this machine's own (statfs(2)): ext, XFS, Btrfs, tmpfs, ramfs, overlay, ZFS, F2FS. Asking for a
 * watch is a call on the main thread, and a network mount, which has no events of changes elsewhere, might not answer it.
 */
const localTypes: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x858458f6, 0x794c7630, 0x2fc12fc1, 0xf2f52010,
]);
