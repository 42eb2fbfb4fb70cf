/** What was found of one side of a place. Sentences for people, without a secret. */
export type Remark =
  | { readonly result: "OK" | "SKIP"; readonly detail: string }
  | { readonly result: "WARN" | "FAIL"; readonly detail: string; readonly mend: string };

/** What a process has to do with an object: read it and hear of its changes, or write it too. */
export type Use = "follow" | "renew";

/** When a server answered, by its clock and by ours: wall clock, milliseconds since 1970. */
export interface DatedAnswer {
  /** The Date field (RFC 9110 section 6.6.1), as it came. */
  readonly date: string | undefined;
  readonly sentAt: number;
  readonly receivedAt: number;
}

/** What the server that keeps an object says of it, and of this process. It is asked for it; nothing is written. */
export interface Inspection {
  /** Whom the server takes this process for, and for how long. */
  readonly login: Remark;
  /** What this process may do there, of what it has to. */
  readonly rights: Remark;
  /** The object itself: what alters it, ends it, or shows it to others. */
  readonly object: Remark;
  readonly dated: DatedAnswer;
}

const order = ["FAIL", "WARN", "OK", "SKIP"] as const satisfies readonly Remark["result"][];

/** Several remarks as one: it is as bad as the worst of them, and says what each that is as bad says, once. */
export function joinRemarks(remarks: readonly Remark[]): Remark {
  const worst = order.find((result) => remarks.some((remark) => remark.result === result)) ?? "SKIP";
  const those = remarks.filter(({ result }) => result === worst);
  const detail = sentences(those.map((remark) => remark.detail));
  if (worst === "OK" || worst === "SKIP") return { result: worst, detail };
  const mends = those.flatMap((remark) => ("mend" in remark ? [remark.mend] : []));
  // One that ends with a command has no full stop.
  const mend = [...new Set(mends)].reduce(
    (all, next) => `${all}${all.endsWith(".") ? " " : "; and: "}${next}`,
  );
  return { result: worst, detail, mend };
}

function sentences(texts: readonly string[]): string {
  return [...new Set(texts)].join(" ");
}
