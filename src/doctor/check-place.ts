import { isObject, type JsonObject } from "../lib/json.ts";
import { type Inspection, joinRemarks, type Remark } from "../store/inspection.ts";
import type { Place } from "../store/open.ts";
import { clockFinding } from "./check-presto.ts";
import {
  asSentence,
  type Attempted,
  type Check,
  fail,
  type Finding,
  lateDetail,
  lateMend,
  ok,
  sentenceOf,
  skip,
  warn,
} from "./finding.ts";

// A store that a server keeps: who we are there, what we may do, what stands there, and how a sidecar that runs follows it.

const ofServer = [
  "store-login",
  "store-rights",
  "store-object",
  "store-clock",
] as const satisfies readonly Check[];

/** What the server says of each place that it keeps, the token's and the account's; undefined where none is kept by one. */
export type InspectedPlaces = Attempted<readonly Inspection[]> | undefined;

export function checkServer({ kind }: Pick<Place, "kind">, inspected: InspectedPlaces): Finding[] {
  if (inspected === undefined || (inspected.kind === "done" && inspected.value.length === 0)) {
    return ofServer.map((check) => skip(check, `PRESTO_STORE is ${kind}:, which no server keeps.`));
  }
  switch (inspected.kind) {
    case "late":
      return ofServer.map((check) => fail(check, "unreachable", lateDetail, lateMend));
    case "failed":
      return ofServer.map((check) => skip(check, `It could not be asked: ${sentenceOf(inspected.error)}`));
    case "done": {
      const places = inspected.value;
      const [first] = places;
      return [
        findingOf(
          "store-login",
          places.map(({ login }) => login),
        ),
        findingOf(
          "store-rights",
          places.map(({ rights }) => rights),
        ),
        findingOf(
          "store-object",
          places.map(({ object }) => object),
        ),
        first === undefined
          ? skip("store-clock", "No server was asked.")
          : clockFinding("store-clock", "the store server's", first.dated, Number.POSITIVE_INFINITY),
      ];
    }
  }
}

function findingOf(check: Check, remarks: readonly Remark[]): Finding {
  const remark = joinRemarks(remarks);
  switch (remark.result) {
    case "OK":
      return ok(check, remark.detail);
    case "SKIP":
      return skip(check, remark.detail);
    case "WARN":
      return warn(check, remark.detail, remark.mend);
    case "FAIL":
      return fail(check, "refused", remark.detail, remark.mend);
  }
}

/** May this process take the lock of a renewal, and who holds it? @param inspected undefined in a role that takes none */
export function checkLock(inspected: Attempted<Remark> | undefined): Finding {
  switch (inspected?.kind) {
    case undefined:
      return skip("lock", "The role proxy takes none.");
    case "late":
      return fail("lock", "unreachable", lateDetail, lateMend);
    case "failed":
      return skip("lock", `It could not be asked for: ${sentenceOf(inspected.error)}`);
    case "done":
      return findingOf("lock", [inspected.value]);
  }
}

/** Milliseconds. A sidecar that follows a store reads it each minute at least. */
const longestUnreadMs = 3 * 60_000;

/**
 * Does a sidecar that runs here follow the store?
 * @param status what its admin listener says
 * @param now wall clock, milliseconds since 1970
 */
export function checkFollowing(
  { kind, isRemote }: Pick<Place, "kind" | "isRemote">,
  status: Attempted<JsonObject>,
  now: number,
): Finding {
  const check = "store-watch";
  if (!isRemote) {
    return skip(check, `PRESTO_STORE is ${kind}:, which no server keeps.`);
  }
  if (status.kind !== "done") {
    return skip(
      check,
      "No sidecar that runs here could be asked (PRESTO_ADMIN_LISTEN), so nothing is known of its watch.",
    );
  }
  const { store, store_state: state } = status.value;
  if (store !== kind || !isObject(state))
    return skip(check, "The sidecar that runs here follows another store.");
  const { watch, last_read_at: readAt, failure } = state;
  if (typeof failure === "string") {
    return warn(
      check,
      `The sidecar that runs here says: ${asSentence(failure)}`,
      "See store and store-rights; the token in its hand goes on serving.",
    );
  }
  const age = typeof readAt === "string" ? now - Date.parse(readAt) : Number.NaN;
  if (!(age < longestUnreadMs)) {
    return warn(
      check,
      "The sidecar that runs here has not read it for minutes.",
      "See its log; the token in its hand goes on serving.",
    );
  }
  const read = `read it ${Math.max(0, Math.round(age / 1000))} s ago`;
  switch (watch) {
    case "live":
      return ok(check, `The sidecar that runs here has a watch that is alive, and ${read}.`);
    case "down":
      return warn(
        check,
        `The sidecar that runs here has no watch, reads every 5 s instead, and ${read}.`,
        "See that it may watch (store-rights), that nothing between ends long answers, and what its log says.",
      );
    default:
      return ok(check, `The sidecar that runs here ${read}; there is no watch of such a store.`);
  }
}
