import { until } from "../support/until.ts";
import type { Caller } from "./money-kills-callers.ts";
import type { MoneyHost, Place } from "./money-kills-host.ts";
import { openReferences } from "./money-kills-record.ts";

/** What changes from one look to the next is looked at again, so long. */
const patienceMs = 15_000;

/** Is every call listed of which the record tells no end, and is no other? Empty where all is in order. */
export async function judgeList(
  host: MoneyHost,
  place: Place,
  callers: readonly Caller[],
): Promise<readonly string[]> {
  let found: readonly string[] = [];
  const look = async (): Promise<true | undefined> => {
    found = await differences(host, place, callers);
    return found.length === 0 ? true : undefined;
  };
  await until(look, { withinMs: patienceMs, everyMs: 100, what: "the list of open outcomes" }).catch(
    () => undefined,
  );
  return found;
}

async function differences(
  host: MoneyHost,
  place: Place,
  callers: readonly Caller[],
): Promise<readonly string[]> {
  const underWay = new Set(
    callers
      .filter(({ attempts }) => attempts.length > 0 && attempts.at(-1)?.told === undefined)
      .map(({ reference }) => reference),
  );
  const { open } = await host.outcomes(place);
  const status = await host.status(place);
  const listed = new Set(open);
  const byLines = openReferences(host.lines(place));
  const settledSince = new Set(open.filter((reference) => !byLines.has(reference)));
  return [
    ...[...byLines]
      .filter((reference) => !listed.has(reference) && !underWay.has(reference))
      .map((reference) => `${reference} has no end by the record, and is not listed`),
    ...[...settledSince]
      .filter((reference) => !underWay.has(reference))
      .map((reference) => `${reference} is listed, and the record has its end`),
    ...(status.includes(`"open_outcomes":${open.length},`)
      ? []
      : [`/status does not tell of ${open.length} open outcomes: ${status}`]),
    ...(/TRX\d/.test(status) ? [`/status names a transaction: ${status}`] : []),
  ];
}
