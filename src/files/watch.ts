import { type BigIntStats, type FSWatcher, statSync, watch } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";

import type { Clock, Timer } from "../clock.ts";

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
  close(): void;
}

/** What a mount puts in the place of the file's folder when it swaps the content (Kubernetes, AtomicWriter). */
const swappedLink = "..data";

/**
 * Tells of changes to a file's content. It watches the folder, because a Kubernetes mount
 * swaps a link beside the file and a watch on the file itself then goes silent; and it
 * polls, because network mounts give no events and the system may refuse a watch
 * (ENOSPC, EMFILE). Every change after this function returned is told; several close
 * together may be told once. It keeps no process alive, and a watch that breaks is made anew.
 */
export function createWatchedFile(options: WatchedFileOptions): WatchedFile {
  const { path, clock, onChange, pollMs = 5_000 } = options;
  const folder = dirname(path);
  const names = new Set<string | null>([basename(path), swappedLink, null]);

  let closed = false;
  let timer: Timer | undefined;
  let watcher: FSWatcher | undefined;
  let watchedFolder: string | undefined;
  let seen = identityNow(path);
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
  function watchFolder(): void {
    const current = identityNow(folder, "folder");
    if (watcher !== undefined && current === watchedFolder) return;
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
        if (closed || (identity === seen && !byName)) continue;
        seen = identity;
        onChange();
      }
    } finally {
      looking = false;
    }
  }

  function poll(): void {
    timer = clock.after(pollMs, poll);
    watchFolder();
    void look();
  }

  watchFolder();
  timer = clock.after(pollMs, poll);

  return {
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

/**
 * Tells one content of a path from the next without reading it. The change time is part
 * of it: unlike the modification time it can't be set back. Any failure reads as "not there".
 */
function formatIdentity(stats: BigIntStats): string {
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(":");
}

async function identityOf(path: string): Promise<string | undefined> {
  try {
    return formatIdentity(await stat(path, { bigint: true }));
  } catch {
    return undefined;
  }
}

/** The same, at once: what is seen before the caller's next line can't be missed. Of a folder only which one it is. */
function identityNow(path: string, kind: "file" | "folder" = "file"): string | undefined {
  try {
    const stats = statSync(path, { bigint: true });
    return kind === "file" ? formatIdentity(stats) : `${stats.dev}:${stats.ino}`;
  } catch {
    return undefined;
  }
}
