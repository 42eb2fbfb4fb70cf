import { dirname } from "node:path";
import { Worker } from "node:worker_threads";

import { systemClock, type Timer } from "../../clock.ts";
import { isObject } from "../../lib/json.ts";

// SQLite works on the thread that asks it, and a mount that hangs keeps that thread in the kernel: on the main one that
// would stop every call, and every answer to a probe. So the connections that hold locks live in a thread of their own.
// It is of this process, so the kernel still frees its locks with it; and it knows no file but those locks, so nothing in
// it closes another descriptor of one (closing any drops every POSIX lock that the process has on that file: fcntl(2)).

/** What SQLite said where it would not open or lock. */
export class LockThreadError extends Error {
  override readonly name = "LockThreadError";
  /** Its result code, https://sqlite.org/rescode.html; undefined where the thread failed in another way. */
  readonly errcode: number | undefined;

  constructor(message: string, errcode?: number) {
    super(message);
    this.errcode = errcode;
  }
}

/** One connection to a lock's file. */
export interface LockConnection {
  /** False where another has the lock. @throws LockThreadError */
  tryLock(): Promise<boolean>;
  /** Has it the lock still? Not any more, where its thread has ended. */
  isLocked(): boolean;
  /** Gives the lock back, if it has it, and closes. */
  close(): Promise<void>;
}

interface LockThread {
  ask(id: number, verb: "lock" | "close", path: string): Promise<boolean>;
  isAlive(): boolean;
}

/** One for each folder, as a mount is: what hangs on one must not keep back what is locked on another. */
const threads = new Map<string, LockThread>();
let lastId = 0;

/** Opens nothing yet. */
export function openLockConnection(path: string): LockConnection {
  const id = (lastId += 1);
  let lockedBy: LockThread | undefined;
  let usedBy: LockThread | undefined;
  return {
    async tryLock() {
      usedBy = usedBy?.isAlive() === true ? usedBy : threadFor(dirname(path));
      const mine = usedBy;
      const locked = await mine.ask(id, "lock", path);
      if (locked) lockedBy = mine;
      return locked;
    },
    isLocked: () => lockedBy?.isAlive() === true,
    async close() {
      lockedBy = undefined;
      // With the thread every connection of its has ended.
      if (usedBy?.isAlive() === true) await usedBy.ask(id, "close", path);
    },
  };
}

function threadFor(folder: string): LockThread {
  const known = threads.get(folder);
  if (known?.isAlive() === true) return known;
  const made = startThread(() => threads.delete(folder));
  threads.set(folder, made);
  return made;
}

/** Milliseconds. A renewal writes several times within seconds; at rest there is no thread. */
const idleMs = 2_000;

/** What the thread is asked. */
interface Question {
  readonly question: number;
  /** Of the connection. */
  readonly id: number;
  readonly verb: "lock" | "close";
  readonly path: string;
}

interface Waiting {
  readonly resolve: (locked: boolean) => void;
  readonly reject: (error: LockThreadError) => void;
}

function startThread(onEnd: () => void): LockThread {
  const worker = new Worker(`(${lockThread.toString()})()`, {
    eval: true,
    name: "file-lock",
    // It needs nothing of either, and what stands there are secrets, and options of the main thread.
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
  });
  /** By the number of the question: a connection is closed while it still waits for a lock, where a mount hangs. */
  const waiting = new Map<number, Waiting>();
  const open = new Set<number>();
  let lastQuestion = 0;
  let alive = true;
  let idle: Timer | undefined;

  /** It keeps the process alive only while somebody waits for it. */
  function settle(): void {
    if (waiting.size > 0) return;
    worker.unref();
    if (open.size > 0) return;
    idle?.cancel();
    idle = systemClock.after(idleMs, () => {
      end("it was not needed any more");
      void worker.terminate();
    });
  }

  function end(why: string): void {
    if (!alive) return;
    alive = false;
    idle?.cancel();
    onEnd();
    for (const { reject } of waiting.values()) reject(new LockThreadError(why));
    waiting.clear();
  }

  worker.on("message", (answer: unknown) => {
    if (!isObject(answer)) return;
    const { question, id, end: ended, errcode } = answer;
    if (typeof question !== "number" || typeof id !== "number") return;
    const asked = waiting.get(question);
    waiting.delete(question);
    if (ended === "closed") open.delete(id);
    if (ended === "failed") {
      const code = typeof errcode === "number" ? errcode : undefined;
      asked?.reject(new LockThreadError("SQLite would not open or lock it", code));
    } else asked?.resolve(ended === "locked");
    settle();
  });
  worker.on("error", () => end("its thread failed"));
  worker.on("exit", () => end("its thread has ended"));

  return {
    isAlive: () => alive,
    ask(id, verb, path) {
      idle?.cancel();
      worker.ref();
      open.add(id);
      return new Promise((resolve, reject) => {
        lastQuestion += 1;
        waiting.set(lastQuestion, { resolve, reject });
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
        worker.postMessage({ question: lastQuestion, id, verb, path });
      });
    },
  };
}

/**
 * The thread. It runs from its own text, so it uses nothing of this file, nor an import, which a
 * bundle or a test runner would put something of theirs in the place of.
 */
function lockThread(): void {
  const { parentPort } = process.getBuiltinModule("node:worker_threads");
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  /** SQLite's primary result code for "somebody else holds the lock" (https://sqlite.org/rescode.html#busy). */
  const busy = 5;
  // Whoever is referred to from here is closed by no garbage collector, which would give its lock away.
  const open = new Map<number, InstanceType<typeof DatabaseSync>>();

  function lock(id: number, path: string): boolean {
    const database = open.get(id) ?? new DatabaseSync(path, { timeout: 0 });
    open.set(id, database);
    try {
      // No journal on disk: nothing is ever written, and a killed holder would leave it behind.
      database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
      return true;
    } catch (error) {
      if (((errcodeOf(error) ?? 0) & 0xff) === busy) return false;
      throw error;
    }
  }

  function errcodeOf(error: unknown): number | undefined {
    if (typeof error !== "object" || error === null || !("errcode" in error)) return undefined;
    return typeof error.errcode === "number" ? error.errcode : undefined;
  }

  function answer(id: number, verb: string, path: string): object {
    try {
      if (verb === "lock") return { end: lock(id, path) ? "locked" : "busy" };
      open.get(id)?.close();
      open.delete(id);
      return { end: "closed" };
    } catch (error) {
      return { end: "failed", errcode: errcodeOf(error) };
    }
  }

  parentPort?.on("message", ({ question, id, verb, path }: Question) => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    parentPort.postMessage({ question, id, ...answer(id, verb, path) });
  });
}
