import { fail, ok, skip, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";
import type { DoorFacts } from "./judge-presto.ts";

/** Seconds. What Presto dates is read in whole seconds, and tokens end at midnight. */
const warnAboveS = 5;
const failAboveS = 60;

/** How far this machine's clock is from Presto's. */
export function judgeClock(door: DoorFacts): Finding {
  if (door?.kind !== "done" || door.value.kind !== "answered") {
    return skip("clock", "There was no answer of Presto's whose Date could be read.");
  }
  const { date, sentAt, receivedAt } = door.value;
  const at = Date.parse(date ?? "");
  if (Number.isNaN(at)) return skip("clock", "Presto's answer has no Date that could be read.");
  const ms = skewOf(at, sentAt, receivedAt);
  const seconds = Math.abs(ms) / 1000;
  if (seconds <= warnAboveS) return ok("clock", "It agrees with Presto's to within some seconds.");
  const detail = `This machine's clock is ${Math.round(seconds)} s ${ms > 0 ? "behind" : "ahead of"} Presto's.`;
  const mend = "Have this machine's clock set by NTP, and see that it stays set.";
  return seconds > failAboveS ? fail("clock", "configuration", detail, mend) : warn("clock", detail, mend);
}

/** Milliseconds that the server is ahead by at least: it read its clock, to the second, between the two times. */
function skewOf(at: number, sentAt: number, receivedAt: number): number {
  if (at > receivedAt) return at - receivedAt;
  return at + 1000 < sentAt ? at + 1000 - sentAt : 0;
}
