import type { Clock } from "../clock.ts";
import type { Network } from "../lib/ip.ts";
import type { EgressSignals } from "../observe/signals.ts";
import type { CheckAnswer } from "./ask-address.ts";
import type { CheckUrlReport } from "./egress-report.ts";
import { describeAnswers, type Findings, findOut, noFindings } from "./findings.ts";

export interface AddressWatchOptions {
  readonly registered: readonly Network[];
  /** Names of the check URLs. */
  readonly names: readonly string[];
  readonly clock: Pick<Clock, "now">;
  readonly signals: Pick<EgressSignals, "egressChecked" | "egressAddressSeen">;
}

/** What the check URLs have said so far. */
export interface AddressWatch {
  /** The answers of one round. @param begunAt monotonic */
  take(answers: readonly CheckAnswer[], begunAt: number): void;
  /** Of the last round. */
  findings(): Findings;
  /** When the round was begun that first saw the addresses that are not registered now; Infinity while all are. */
  strangeSince(): number;
  checkedAt(): Date | null;
  /** Sentences about the last round. */
  describe(): readonly string[];
  urls(): readonly CheckUrlReport[];
}

export function createAddressWatch(options: AddressWatchOptions): AddressWatch {
  const { registered, names, clock, signals } = options;
  let answers: readonly CheckAnswer[] = [];
  let findings: Findings = noFindings;
  let checkedAt: number | null = null;
  let seen = "";
  let strange = "";
  let strangeSince = Number.POSITIVE_INFINITY;

  function tell(given: readonly CheckAnswer[], before: readonly CheckAnswer[]): void {
    for (const [index, { name, address, error }] of given.entries()) {
      const last = before[index];
      const changed = last === undefined || last.error?.message !== error?.message;
      signals.egressChecked({ name, address: address?.text, error, changed });
    }
    const now = findings.addresses.join(" ");
    if (now === "" || now === seen) return;
    seen = now;
    signals.egressAddressSeen({ addresses: findings.addresses, registered: findings.registered });
  }

  return {
    take(given, begunAt) {
      const before = answers;
      answers = given;
      findings = findOut(registered, given);
      checkedAt = clock.now();
      // Where nobody answered, what was seen before still stands.
      if (findings.addresses.length > 0 && findings.strange.join(" ") !== strange) {
        strange = findings.strange.join(" ");
        strangeSince = strange === "" ? Number.POSITIVE_INFINITY : begunAt;
      }
      tell(given, before);
    },
    findings: () => findings,
    strangeSince: () => strangeSince,
    checkedAt: () => (checkedAt === null ? null : new Date(checkedAt)),
    describe: () => describeAnswers(registered, answers),
    urls: () =>
      names.map((host, index) => {
        const answer = answers[index];
        if (answer === undefined) return { host, ok: null, address: null, error: null };
        const { address, error } = answer;
        return {
          host,
          ok: error === undefined,
          address: address?.text ?? null,
          error: error?.message ?? null,
        };
      }),
  };
}
