import type { Entry } from "../audit/line.ts";
import { openAudit } from "../audit/open.ts";
import { commandsPathOf } from "../audit/recover.ts";
import type { AuditEvent, AuditOptions, AuditPlace, AuditRecord, RecordUnavailable } from "../audit/types.ts";
import { CommandError, systemCode } from "../errors.ts";
import type { Io } from "./command.ts";
import { printNote } from "./terminal.ts";

/** Milliseconds that a command waits for another one that writes the same record, and for its own last line. */
const lockWaitMs = 5_000;
const closeMs = 2_000;

/**
 * Does what concerns money or credentials with two lines in the record of commands, which stands beside
 * the sidecar's: the first is durable before the work begins. Without a record it is only done.
 * @param work is given what takes down further lines
 * @throws CommandError `try-again` where another command writes there, `configuration` for what is no record,
 *   `system-refused` where it can't be written
 */
export async function recorded<T>(
  { audit }: { readonly audit: AuditOptions | undefined },
  io: Io,
  command: string,
  work: (note: (entry: Entry) => void) => Promise<T>,
): Promise<T> {
  if (audit === undefined) return work(() => {});
  const record = await openAudit(
    { ...audit, place: placeOfCommands(audit.place), writer: "command", lockWaitMs },
    { clock: io.clock, emit: tellTrouble(io), stream: () => errorStream(io), onFound: () => {} },
  );
  const begunAt = io.clock.monotonic();
  const end = (how: "done" | "failed", code?: string): void => {
    const ms = Math.round(io.clock.monotonic() - begunAt);
    record.note({ type: "command-ended", command, end: how, code, ms });
  };
  try {
    await begin(record, command);
    const result = await work(record.note);
    end("done");
    return result;
  } catch (error) {
    if (record.report().head.seq > 0) end("failed", systemCode(error));
    throw error;
  } finally {
    await record.close(closeMs);
  }
}

function placeOfCommands(place: AuditPlace): AuditPlace {
  return place.kind === "file" ? { ...place, path: commandsPathOf(place.path) } : place;
}

/** Standard output holds a command's result alone. */
function errorStream(io: Io): { write(text: string, done: () => void): void } {
  return {
    write(text, done) {
      io.stderr.write(text);
      done();
    },
  };
}

function tellTrouble(io: Io): (event: AuditEvent) => void {
  return (event) => {
    if (event.type === "audit-availability" && event.unavailable !== undefined)
      printNote(io, `Warning: the record of money calls can't be written: ${event.unavailable.reason}.`);
  };
}

function begin(record: AuditRecord, command: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: RecordUnavailable): void => {
      if (error === undefined) resolve();
      else reject(notRecorded(error));
    };
    const refused = { type: "command-ended", command, end: "not-begun" };
    record.announce({ type: "command-begun", command }, refused, done);
  });
}

function notRecorded(cause: RecordUnavailable): CommandError {
  return new CommandError(
    "system-refused",
    `Nothing was done, because ${cause.message}. See to its disk (PRESTO_AUDIT), or do without for now: PRESTO_AUDIT_FULL=continue.`,
    cause,
  );
}
