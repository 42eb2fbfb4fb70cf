import type { Clock, Timer } from "../clock.ts";
import { CommandError } from "../errors.ts";
import { within } from "../lib/async.ts";
import type { Emit } from "../lib/events.ts";
import type { RenewalLock } from "../store/contract.ts";
import { createSingleHostLock } from "../store/file/lock.ts";
import { type Disk, systemDisk } from "./disk.ts";
import { type CompletedReference, type OpenCall, OpenCalls, type Writer } from "./entries.ts";
import { createFileMedium, type FileMedium } from "./file-medium.ts";
import { beforeFirst } from "./line.ts";
import { isPassing, lockPathOf, refusedPath } from "./recover.ts";
import { createStreamMedium, type LineStream, streamMark } from "./stream-medium.ts";
import type { AuditEvent, AuditOptions, AuditRecord } from "./types.ts";
import { createLineWriter, type LineWriter } from "./writer.ts";

export interface AuditDeps {
  readonly clock: Clock;
  readonly emit: Emit<AuditEvent>;
  /** Where lines go that are not kept in files. */
  readonly stream: () => LineStream;
  /** Told of calls that were open when an earlier process ended, and of whose money had moved: at once, or when the record can be read. */
  readonly onFound: (open: readonly OpenCall[], completed: readonly CompletedReference[]) => void;
  /** The system's unless given. */
  readonly disk?: Disk;
  /** The kernel's unless given. */
  readonly lock?: Pick<RenewalLock, "acquire">;
}

export interface OpenAuditOptions extends AuditOptions {
  readonly writer: Writer;
  /** Milliseconds to wait for another process that writes the same record. */
  readonly lockWaitMs: number;
  /** Bytes; 64 MiB unless given. */
  readonly mostBytes?: number;
}

const mostBytesUnlessGiven = 64 * 1024 * 1024;

/** Between two looks at whether the file is still what was left there, milliseconds. */
const lookEveryMs = 1_000;

/** A start does not wait longer for a disk, milliseconds. */
const firstTryMs = 5_000;

/**
 * Opens the record, and takes its lock: one process writes it. A disk that is full, fails or does not
 * answer ends nothing: the record is then not available, and is opened as soon as it can be.
 * @throws CommandError `configuration` for what is no record, is somebody else's or was altered; `try-again` where
 *   another process writes it
 */
export async function openAudit(options: OpenAuditOptions, deps: AuditDeps): Promise<AuditRecord> {
  const { place, whenUnavailable, writer, lockWaitMs, mostBytes = mostBytesUnlessGiven } = options;
  const { clock, emit, disk = systemDisk } = deps;
  const chain = { whenUnavailable, head: beforeFirst, open: new OpenCalls(), begin: "first" } as const;
  if (place.kind === "stdout")
    return createLineWriter(
      { ...chain, mark: streamMark },
      { medium: createStreamMedium(deps.stream(), writer), clock, emit },
    );
  const { path, mode } = place;
  const medium = createFileMedium(
    { path, mode, mostBytes, writer, lockWaitMs },
    { disk, lock: deps.lock ?? processLock(path, clock), onFound: deps.onFound },
  );
  try {
    await medium.prepare();
  } catch (error) {
    if (error instanceof CommandError) throw error;
    if (!isPassing(error)) throw refusedPath(path, error);
  }
  const record = createLineWriter(chain, { medium, clock, emit });
  record.wake();
  await within(clock, firstTryMs, record.settled());
  return watched(record, medium, clock);
}

/** The kernel frees it the moment its holder dies; process ids tell nothing, since a container's first process is always 1. */
function processLock(path: string, clock: Clock): RenewalLock {
  return createSingleHostLock({ path: lockPathOf(path), what: `the record of money calls ${path}`, clock });
}

/** Looks now and then whether somebody else has touched the file. */
function watched(record: LineWriter, medium: FileMedium, clock: Clock): AuditRecord {
  let timer: Timer | undefined = clock.after(lookEveryMs, look);

  function look(): void {
    void medium
      .findInterference()
      .then((what) => {
        if (what !== undefined) record.interfered(what);
      })
      .finally(() => {
        if (timer !== undefined) timer = clock.after(lookEveryMs, look);
      });
  }

  return {
    ...record,
    close(withinMs) {
      timer?.cancel();
      timer = undefined;
      return record.close(withinMs);
    },
  };
}
