import { Failure } from "../errors.ts";

/**
 * The moment at which a token dies that Presto was asked for with this date: 00:00 UTC of
 * the day, not its end.
 * @param now milliseconds since 1970
 * @throws Failure `usage` if it is no date, or is past
 */
export function parseExpiryDate(text: string, now: number): Date {
  const date = new Date(`${text}T00:00:00.000Z`);
  // A date that does not exist (31 June) becomes another one, or none.
  const exists =
    /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
  if (!exists) throw new Failure("usage", "--expires is not a date that exists. Write it like 2027-02-22.");
  if (date.getTime() <= now) {
    throw new Failure(
      "usage",
      `--expires ${text} is past: a token stops working at 00:00 UTC of its day. Give the date that Presto named.`,
    );
  }
  return date;
}
