import type { Clock } from "../clock.ts";
import { overwrite } from "../files/io.ts";
import { within } from "../lib/async.ts";
import { spanText } from "../lib/duration.ts";
import type { OpenOutcome, Outcomes } from "../money/outcomes.ts";
import type { Log } from "../observe/log.ts";

/** What a process leaves behind of calls whose end it does not know: nobody may scrape its metrics any more. */
export interface TerminationNotice {
  /** Once, however often it is asked for: a line of the log for each, and the termination message of its container. */
  leave(): Promise<void>;
}

/** Where kubelet looks unless a pod says otherwise (`terminationMessagePath`). It makes the file; elsewhere there is none. */
const terminationLog = "/dev/termination-log";

/** Milliseconds for a file on the node's own disk. */
const writeMs = 250;

/** More than a person reads; the number of all of them stands in the message. */
const mostLines = 100;

export function createTerminationNotice(
  outcomes: Pick<Outcomes, "open">,
  { log, clock }: { readonly log: Log; readonly clock: Clock },
): TerminationNotice {
  let isLeft = false;
  return {
    async leave() {
      if (isLeft) return;
      isLeft = true;
      const open = outcomes.open();
      if (open.length === 0) return;
      for (const { requestId, operation, unaskable } of open.slice(0, mostLines)) {
        log.write("error", "This process ends, and what became of a call that moves money is not known.", {
          request_id: requestId,
          operation,
          unaskable,
          audit: true,
        });
      }
      await within(
        clock,
        writeMs,
        overwrite(terminationLog, terminationMessage(open)).catch(() => undefined),
      );
    },
  };
}

/**
 * Whoever may look at pods reads it, and they are many more than those who may read the log: it has numbers, and
 * neither a reference nor an id that a caller has chosen. kubelet takes 4 KiB of it.
 */
function terminationMessage(open: readonly OpenOutcome[]): string {
  const one = open.length === 1;
  const oldest = Math.max(...open.map(({ ageMs }) => ageMs));
  return `presto-sidecar ended without knowing what became of ${open.length} ${one ? "call that moves" : "calls that move"} money, the oldest for ${spanText(oldest)}. Its log has ${one ? "the request id" : "their request ids"} ("This process ends"); begin no other payment in ${one ? "its" : "their"} place before Presto was asked (docs/money.md).\n`;
}
