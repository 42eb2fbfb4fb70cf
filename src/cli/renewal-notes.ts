import { formatDuration } from "../config/parse.ts";
import { noSignals, type Signals } from "../observe/events.ts";
import type { Io } from "./command.ts";
import { printNote } from "./output.ts";

/** Tells on standard error what a person who waits for a renewal must know. */
export function renewalNotes(io: Io, settleMs: number): Signals {
  const told = new Set<string>();
  const tellOnce = (text: string): void => {
    if (told.has(text)) return;
    told.add(text);
    printNote(io, text);
  };
  return {
    ...noSignals,
    renewalMoved({ to }) {
      if (to === "settling") {
        tellOnce(
          `It is not known yet whether Presto executed an issue call. Finding out takes up to ${formatDuration(settleMs)} (PRESTO_SETTLE). Ctrl-C leaves it to the next process that renews: it stands in the record. While the call may still be answered it is listened to for up to 25 s more; a second Ctrl-C ends that.`,
        );
      }
      if (to === "reconciling") {
        tellOnce(
          "A new token was issued, but is not stored yet. It is kept in memory, and storing it is tried again and again: it would be lost with this process.",
        );
      }
    },
    alarmChanged(alarm) {
      if (alarm === undefined) tellOnce("The alarm is cleared.");
    },
    warned: (message) => printNote(io, `Warning: ${message}`),
  };
}
