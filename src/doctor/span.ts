const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Milliseconds as days, with their fraction. */
export function daysLeft(ms: number): number {
  return ms / dayMs;
}

/** A span as people say it, rounded down: `61 days`, `5 hours`, `1 minute`. @param ms not negative */
export function spanOf(ms: number): string {
  if (ms >= 2 * dayMs) return counted(ms / dayMs, "day");
  if (ms >= 2 * hourMs) return counted(ms / hourMs, "hour");
  return counted(ms / minuteMs, "minute");
}

function counted(amount: number, unit: string): string {
  const whole = Math.floor(amount);
  return `${whole} ${unit}${whole === 1 ? "" : "s"}`;
}
