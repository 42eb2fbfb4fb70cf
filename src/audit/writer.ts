import { atEndOfTurn, type Clock, type Timer } from "../clock.ts";
import { CommandError, systemCode } from "../errors.ts";
import { within } from "../lib/async.ts";
import type { Emit } from "../lib/events.ts";
import type { JsonObject } from "../lib/json.ts";
import type { FileReason, OpenCalls } from "./entries.ts";
import { type Entry, encodeLine, type Head, isSameHead } from "./line.ts";
import type { Medium } from "./medium.ts";
import { createLineQueue, type Line, refuse, tellDone } from "./queue.ts";
import {
  type AuditEvent,
  type AuditOptions,
  type AuditRecord,
  type AuditReport,
  RecordUnavailable,
} from "./types.ts";

export interface LineWriterOptions {
  readonly whenUnavailable: AuditOptions["whenUnavailable"];
  /** The chain so far. */
  readonly head: Head;
  readonly open: OpenCalls;
  /** Why the first thing to do is to begin a file; undefined where one can be gone on with. */
  readonly begin: FileReason | undefined;
  /** Stands in each line. */
  readonly mark?: JsonObject | undefined;
}

export interface LineWriterDeps {
  readonly medium: Medium;
  readonly clock: Clock;
  readonly emit: Emit<AuditEvent>;
}

export interface LineWriter extends AuditRecord {
  /** The present file is not what it was: told, and the chain goes on in a new one. */
  interfered(what: string): void;
  /** Something became due. */
  wake(): void;
  /** Resolves when everything that was queued is written, or can't be. */
  settled(): Promise<void>;
}

/** Lines that nobody waits for are durable after so many milliseconds at most. */
const lazySyncMs = 1_000;
/** Between two tries to begin a file, milliseconds. */
const retryMs = 500;
/** Between two tellings of the chain's head, milliseconds. */
const headEveryMs = 5 * 60_000;
/** A disk that takes longer for one group counts as unavailable until it answers, milliseconds. */
const patienceMs = 3_000;
/** Bytes written in one go, about. */
const groupBytes = 1024 * 1024;

/** A line that was handed to the medium and is not durable yet. */
interface Written {
  readonly line: Line;
  readonly hash: string;
}

/**
 * Writes lines in groups: whoever comes while a group is written waits for the next, and one sync
 * serves all of a group. A failure is final for the file: what is in the group is refused, and no later
 * success on that file counts (fsync(2) may report an error once, and succeed the next time with
 * the lines lost).
 */
export function createLineWriter(
  options: LineWriterOptions,
  { medium, clock, emit }: LineWriterDeps,
): LineWriter {
  const { whenUnavailable, open } = options;
  const queue = createLineQueue(options, clock);
  let written: Written[] = [];
  let givenUp: string[] = [];
  /** The last durable line, and the last one that was handed over. */
  let durable = options.head;
  let head = options.head;
  let told: Head | undefined;
  let dueReason = options.begin;
  let unavailable: RecordUnavailable | undefined;
  let scheduled = false;
  let working: Promise<void> | undefined;
  let retry: Timer | undefined;
  let lazy: Timer | undefined;
  let syncDue = false;
  /** Nothing can be written before the next try. */
  let stuck = false;
  let closed = false;
  let headTimer = clock.after(headEveryMs, tellHeadAgain);

  function wake(): void {
    if (scheduled || stuck || working !== undefined) return;
    scheduled = true;
    // Whatever comes in this turn of the event loop goes with the same group.
    atEndOfTurn(() => {
      scheduled = false;
      working = work().finally(() => {
        working = undefined;
        if (hasWork()) wake();
      });
    });
  }

  function hasWork(): boolean {
    return queue.size() > 0 || syncDue || dueReason !== undefined || medium.due() !== undefined;
  }

  async function work(): Promise<void> {
    while (hasWork()) {
      const slow = clock.after(patienceMs, notInTime);
      try {
        if (!(await step())) return;
        setAvailable();
      } finally {
        slow.cancel();
      }
    }
  }

  /** What was handed over may still be written, and is waited for; nothing else is. */
  function notInTime(): void {
    queue.releaseAll(setUnavailable("its disk does not answer", undefined));
    if (whenUnavailable === "continue") for (const { line } of written) tellDone(line);
  }

  /** False where nothing can be done for now. */
  async function step(): Promise<boolean> {
    const reason = dueReason ?? medium.due();
    if (reason !== undefined) return beginFile(reason);
    return writeGroup();
  }

  async function beginFile(reason: FileReason): Promise<boolean> {
    try {
      // What stands in the file so far has to be durable before the next one names its last line.
      if (written.length > 0 && medium.isOpen()) await syncWritten();
    } catch (cause) {
      fail(cause);
    }
    try {
      const state = { at: new Date(clock.now()), open, givenUp };
      durable = await medium.begin(givenUp.length > 0 ? "failed" : reason, durable, state);
    } catch (cause) {
      // A file that is only too long can be gone on with.
      if (reason === "size" && medium.isOpen()) return true;
      dueReason = reason;
      queue.releaseAll(setUnavailable(reasonOf(cause), cause));
      retryLater();
      return false;
    }
    dueReason = undefined;
    head = durable;
    givenUp = [];
    queue.tellLost();
    return true;
  }

  async function writeGroup(): Promise<boolean> {
    let text = "";
    let waits = false;
    for (
      let line = queue.take();
      line !== undefined;
      line = text.length < groupBytes ? queue.take() : undefined
    ) {
      const encoded = encodeLine(head, line.at, line.entry);
      text += encoded.text;
      head = encoded.head;
      open.apply(line.entry, line.at.toISOString());
      written.push({ line, hash: encoded.head.hash });
      waits ||= line.wait !== undefined;
    }
    try {
      if (text !== "") await medium.append(text);
      if (waits || syncDue || closed) await syncWritten();
      else if (written.length > 0) lazy ??= clock.after(lazySyncMs, syncLazily);
    } catch (cause) {
      fail(cause);
    }
    return true;
  }

  function syncLazily(): void {
    lazy = undefined;
    if (written.length === 0) return;
    syncDue = true;
    wake();
  }

  async function syncWritten(): Promise<void> {
    const upTo = written.length;
    const last = head;
    await medium.sync();
    syncDue = false;
    durable = last;
    const lines = written.slice(0, upTo);
    written = written.slice(upTo);
    for (const { line } of lines) tellDone(line);
    if (told === undefined) tellHead();
  }

  /** Final for the file: what is not durable by now never will be there. */
  function fail(cause: unknown): void {
    medium.drop();
    syncDue = false;
    dueReason = "failed";
    const error = setUnavailable(reasonOf(cause), cause);
    const failed = written;
    written = [];
    head = durable;
    givenUp = [...givenUp, ...failed.map(({ hash }) => hash)];
    const again: Line[] = [];
    for (const { line } of failed) {
      const { wait } = line;
      if (wait !== undefined && whenUnavailable === "refuse") {
        dropOpen(line);
        again.push(queue.create(wait.refused));
        refuse(line, error);
      } else if (line.isVoid) {
        dropOpen(line);
      } else {
        tellDone(line);
        again.push(line);
      }
    }
    queue.putBack(again);
  }

  function dropOpen({ entry: { call } }: Line): void {
    if (typeof call === "string") open.drop(call);
  }

  function retryLater(): void {
    stuck = true;
    if (closed) return;
    retry = clock.after(retryMs, () => {
      stuck = false;
      wake();
    });
  }

  function tellHead(): void {
    if (durable.seq === 0 || (told !== undefined && isSameHead(told, durable))) return;
    told = durable;
    emit({ type: "audit-head", head: durable, file: medium.file() });
  }

  function tellHeadAgain(): void {
    tellHead();
    headTimer = clock.after(headEveryMs, tellHeadAgain);
  }

  function setUnavailable(reason: string, cause: unknown): RecordUnavailable {
    if (unavailable === undefined) {
      unavailable = new RecordUnavailable(`the record of money calls can't be written: ${reason}`);
      emit({ type: "audit-availability", unavailable: { reason, cause } });
    }
    return unavailable;
  }

  function setAvailable(): void {
    if (unavailable === undefined || dueReason !== undefined) return;
    unavailable = undefined;
    emit({ type: "audit-availability", unavailable: undefined });
  }

  function note(entry: Entry): void {
    if (queue.add(queue.create(entry), unavailable !== undefined)) wake();
  }

  async function settled(): Promise<void> {
    while (scheduled || working !== undefined) {
      if (working === undefined) await endOfTurn();
      else await working;
    }
  }

  const refusal = (): RecordUnavailable | undefined =>
    whenUnavailable === "refuse" ? unavailable : undefined;

  return {
    refusal,
    announce(entry, refused, done) {
      if (unavailable !== undefined) {
        if (refusal() === undefined) note(entry);
        done(refusal());
        return { abandon() {} };
      }
      const line = queue.create(entry, { refused, done });
      queue.add(line, false);
      wake();
      return {
        abandon() {
          if (line.wait === undefined) return;
          line.wait = undefined;
          if (queue.remove(line)) return;
          line.isVoid = true;
          note(refused);
        },
      };
    },
    note,
    wake,
    interfered(what) {
      emit({ type: "audit-interfered", what });
      queue.putBack([queue.create({ type: "alarm", alarm: "audit-interfered", reason: what })]);
      dueReason ??= "outside";
      wake();
    },
    report(): AuditReport {
      return {
        available: unavailable === undefined,
        head: durable,
        told,
        open: open.size,
        lost: queue.lost(),
        file: medium.file(),
      };
    },
    settled,
    async close(withinMs) {
      closed = true;
      lazy?.cancel();
      retry?.cancel();
      headTimer.cancel();
      syncDue ||= written.length > 0;
      stuck = false;
      wake();
      await within(clock, withinMs, settled());
      tellHead();
      const gone = settled().then(() => medium.close());
      if (working === undefined) await within(clock, withinMs, gone);
      // A disk that did not answer by now has its file closed when it does, if the process is there by then.
      else gone.catch(() => undefined);
    },
  };
}

function endOfTurn(): Promise<void> {
  return new Promise((resolve) => {
    atEndOfTurn(resolve);
  });
}

function reasonOf(cause: unknown): string {
  if (cause instanceof CommandError) return cause.message;
  const code = systemCode(cause);
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return "its disk is full";
    case "EROFS":
      return "its disk is read-only";
    default:
      return code === undefined ? "it failed" : `the system refused it (${code})`;
  }
}
