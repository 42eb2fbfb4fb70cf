/** ISO 8601, or null for a date that could not be parsed (`toISOString` would throw). */
export function isoTime(date: Date): string | null {
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
