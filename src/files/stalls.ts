import { dirname } from "node:path";

import { systemClock } from "../clock.ts";

// A network mount that is gone answers nothing, and whoever asks it waits in the kernel: a call on the main thread would
// stop every call of an app, and one on the runtime's pool keeps one of its four threads, which look up names and read
// every other file, for as long as that lasts. So all that is asked of files that configuration names goes through here.

/** The file system under a path has not answered for some time. Told by its code where only codes are looked at. */
export class StalledError extends Error {
  override readonly name = "StalledError";
  readonly code = "ETIMEDOUT";

  constructor(path: string) {
    super(`the file system under ${path} does not answer`);
  }
}

/** Told when a folder is found not to answer, and when it has answered after all. */
export type StallListener = (folder: string, stalled: boolean) => void;

export interface AskOptions {
  /** False for a change: it is waited for, however long that takes, because it may still come about. */
  readonly givesUp?: boolean;
  /** Milliseconds after which the file system counts as stalled. */
  readonly patienceMs?: number;
}

/** One question to the file system. */
interface Question {
  readonly folder: string;
  readonly begin: () => void;
  stalled: boolean;
}

/** The fourth thread of the pool is never waited with (libuv's default; UV_THREADPOOL_SIZE can only make it more). */
const mostAsked = 3;

/** Much longer than any disk that works takes, milliseconds. */
const usualPatienceMs = 5_000;

// Of the process, and not of whoever asks: there is one pool.
const asked = new Map<string, Question>();
const waiting = new Set<Question>();
const listeners = new Set<StallListener>();

/** Calls back until what is returned is called. What is stalled already is told at once. */
export function watchStalls(listener: StallListener): () => void {
  listeners.add(listener);
  for (const { folder, stalled } of asked.values()) if (stalled) listener(folder, true);
  return () => void listeners.delete(listener);
}

/** Is a question not answered yet? Then a thread waits in the kernel. */
export function isAnyAsked(): boolean {
  return asked.size > 0 || anyLeft;
}

let anyLeft = false;

/** Something that may ask a file system in other ways, such as the removal of a socket, is waited for no longer. */
export function leaveUnanswered(): void {
  anyLeft = true;
}

/**
 * Asks the file system about a path: one question at a time in each folder, three in all.
 * @returns what `work` does, or a rejection with `StalledError` where that takes too long: what comes of it later is
 *   dropped. While a folder is stalled, it is so at once.
 */
export function ask<T>(path: string, work: () => Promise<T>, options: AskOptions = {}): Promise<T> {
  const { givesUp = true, patienceMs = usualPatienceMs } = options;
  const folder = dirname(path);
  return new Promise((resolve, reject) => {
    if (givesUp && asked.get(folder)?.stalled === true) {
      reject(new StalledError(path));
      return;
    }
    const question: Question = {
      folder,
      stalled: false,
      begin() {
        asked.set(folder, question);
        work()
          .then(resolve, reject)
          .finally(() => {
            timer.cancel();
            asked.delete(folder);
            if (question.stalled) tell(folder, false);
            beginWaiting();
          });
      },
    };
    const timer = systemClock.after(patienceMs, () => {
      if (asked.get(folder) === question) {
        question.stalled = true;
        tell(folder, true);
      } else if (givesUp) waiting.delete(question);
      if (givesUp) reject(new StalledError(path));
    });
    waiting.add(question);
    beginWaiting();
  });
}

function tell(folder: string, stalled: boolean): void {
  for (const listener of listeners) listener(folder, stalled);
}

/** In the order of their coming, but for those whose folder has to answer first. */
function beginWaiting(): void {
  for (const question of waiting) {
    if (asked.size >= mostAsked) return;
    if (asked.has(question.folder)) continue;
    waiting.delete(question);
    question.begin();
  }
}
