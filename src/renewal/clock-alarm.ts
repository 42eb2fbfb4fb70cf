import type { Clock } from "../clock.ts";
import type { Emit } from "../lib/events.ts";
import type { TokenRecord } from "../store/contract.ts";
import type { ClockAlarmChanged } from "./types.ts";

/** Latched while this machine's clock makes each new token due as soon as it was issued: then no token is issued by plan. */
export interface ClockAlarm {
  /** Why; undefined while it is not latched. */
  reason(): string | undefined;
  /** The token of this record was issued right now, and is due for renewal already. */
  latch(record: TokenRecord): void;
  /** Unlatches it where the clock was set right: by it, this record is not due any more. */
  look(record: TokenRecord | undefined): void;
}

export interface ClockAlarmDeps {
  readonly clock: Pick<Clock, "now">;
  /** Is this record due by the clock alone? */
  readonly isDue: (record: TokenRecord | undefined, now: number) => boolean;
  /** Milliseconds by which Presto's clock is ahead of ours; undefined while no answer has named a time. */
  readonly prestoAheadMs: () => number | undefined;
  readonly emit: Emit<ClockAlarmChanged>;
}

/** Clocks that differ by less agree, for what is counted in days. */
const agreeMs = 60_000;
const minuteMs = 60_000;

export function createClockAlarm({ clock, isDue, prestoAheadMs, emit }: ClockAlarmDeps): ClockAlarm {
  let reason: string | undefined;

  function set(next: string | undefined): void {
    reason = next;
    emit({ type: "clock-alarm-changed", reason });
  }

  return {
    reason: () => reason,
    latch(record) {
      set(
        `${whoIsWrong(prestoAheadMs(), record)} So the token that was just issued is due for renewal already, as each one after it would be. None is issued by plan until that is mended; a dead one is replaced, and a person may renew.`,
      );
    },
    look(record) {
      if (reason !== undefined && !isDue(record, clock.now())) set(undefined);
    },
  };
}

function whoIsWrong(aheadMs: number | undefined, { issuedAt, expiresAt }: TokenRecord): string {
  const life = `Presto says that the token was made at ${issuedAt?.toISOString() ?? "an unknown time"} and ends at ${expiresAt?.toISOString() ?? "an unknown one"}.`;
  if (aheadMs === undefined) return `This machine's clock and the token's dates do not agree. ${life}`;
  if (Math.abs(aheadMs) < agreeMs)
    return `This machine's clock agrees with Presto's (Date), but not with the token's dates. ${life}`;
  const by = `${Math.round(Math.abs(aheadMs) / minuteMs)} min`;
  return `This machine's clock is ${by} ${aheadMs < 0 ? "ahead of" : "behind"} Presto's (Date).`;
}
