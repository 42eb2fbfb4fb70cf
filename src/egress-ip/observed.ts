import type { Clock } from "../clock.ts";
import type { Emit } from "../lib/events.ts";
import { type Address, isIn, type Network, speaksOf } from "../lib/ip.ts";
import type { CheckAnswer } from "./check-url.ts";
import type { AddressCounts, EgressVerdict } from "./classify.ts";

/** What `/status` and the metrics say of the address that this process leaves from. Holds no secret. */
export interface EgressReport {
  /** As the check URLs saw it last; several where they differ. Empty while unknown. */
  readonly addresses: readonly string[];
  /** Null while unknown, and where nothing is there to compare with. */
  readonly registered: boolean | null;
  /** Why calls are blocked; null while they are not. */
  readonly closed: string | null;
  readonly verdict: EgressVerdict;
  /** Sentences, the most telling first. */
  readonly evidence: readonly string[];
  /** When the check URLs were asked last, wall clock; null before the first time. */
  readonly checkedAt: Date | null;
  readonly checkUrls: readonly CheckUrlReport[];
}

export interface CheckUrlReport {
  /** Host, and the port unless it is 443. */
  readonly host: string;
  /** Null before the first answer. */
  readonly ok: boolean | null;
  readonly address: string | null;
  readonly error: string | null;
}

/** A check URL was asked which address this process leaves from. */
interface EgressChecked {
  readonly type: "egress-checked";
  readonly name: string;
  readonly address: string | undefined;
  /** For the log. */
  readonly error: unknown;
  /** It did not end so the last time. */
  readonly changed: boolean;
}

/** This process leaves from other addresses than were known. */
interface EgressAddressSeen {
  readonly type: "egress-address-seen";
  readonly addresses: readonly string[];
  /** Null where that can't be said. */
  readonly registered: boolean | null;
}

export type AddressEvent = EgressChecked | EgressAddressSeen;

export interface AddressWatchOptions {
  readonly registered: readonly Network[];
  /** Names of the check URLs. */
  readonly names: readonly string[];
  readonly clock: Pick<Clock, "now">;
  readonly emit: Emit<AddressEvent>;
}

/** What the check URLs have said so far. */
export interface AddressWatch {
  /** The answers of one round. @param begunAt monotonic */
  take(answers: readonly CheckAnswer[], begunAt: number): void;
  /** Of the last round. */
  findings(): Findings;
  /** When the round was begun that first saw the addresses that are not registered now; Infinity while all are. */
  unregisteredSince(): number;
  checkedAt(): Date | null;
  /** Sentences about the last round. */
  describe(): readonly string[];
  urls(): readonly CheckUrlReport[];
}

export function createAddressWatch(options: AddressWatchOptions): AddressWatch {
  const { registered, names, clock, emit } = options;
  let answers: readonly CheckAnswer[] = [];
  let findings: Findings = noFindings;
  let checkedAt: number | null = null;
  let seen = "";
  let unregistered = "";
  let unregisteredSince = Number.POSITIVE_INFINITY;

  function tell(given: readonly CheckAnswer[], before: readonly CheckAnswer[]): void {
    for (const [index, { name, address, error }] of given.entries()) {
      const last = before[index];
      const changed = last === undefined || last.error?.message !== error?.message;
      emit({ type: "egress-checked", name, address: address?.text, error, changed });
    }
    const now = findings.addresses.join(" ");
    if (now === "" || now === seen) return;
    seen = now;
    emit({ type: "egress-address-seen", addresses: findings.addresses, registered: findings.registered });
  }

  return {
    take(given, begunAt) {
      const before = answers;
      answers = given;
      findings = findOut(registered, given);
      checkedAt = clock.now();
      // Where nobody answered, what was seen before still stands.
      if (findings.addresses.length > 0 && findings.unregistered.join(" ") !== unregistered) {
        unregistered = findings.unregistered.join(" ");
        unregisteredSince = unregistered === "" ? Number.POSITIVE_INFINITY : begunAt;
      }
      tell(given, before);
    },
    findings: () => findings,
    unregisteredSince: () => unregisteredSince,
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

/**
 * How an address stands to the registered ones. Of one that is of another version of IP than all
 * of them nothing is said: a check URL may be reached over IPv6 where Presto has IPv4 alone.
 */
export type AddressStanding = "registered" | "not-registered" | "not-comparable";

/** What one round of questions showed. */
export interface Findings {
  /** Each once, as text. Empty where nobody answered. */
  readonly addresses: readonly string[];
  /** Those of them that are not registered. */
  readonly unregistered: readonly string[];
  readonly counts: AddressCounts;
  /** Null while that is not known: nobody could say, nothing to compare with, or they contradict each other. */
  readonly registered: boolean | null;
}

const noFindings: Findings = {
  addresses: [],
  unregistered: [],
  counts: { registered: 0, notRegistered: 0 },
  registered: null,
};

function standingOf(networks: readonly Network[], address: Address): AddressStanding {
  if (isIn(networks, address)) return "registered";
  return speaksOf(networks, address) ? "not-registered" : "not-comparable";
}

/** @param networks the registered addresses; without any nothing is compared */
export function findOut(networks: readonly Network[], answers: readonly CheckAnswer[]): Findings {
  const seen = answers.flatMap(({ address }) => (address === undefined ? [] : [address]));
  const unregistered = seen.filter((address) => standingOf(networks, address) === "not-registered");
  const registered = seen.filter((address) => standingOf(networks, address) === "registered").length;
  const notRegistered = unregistered.length;
  return {
    addresses: textsOf(seen),
    unregistered: textsOf(unregistered),
    counts: { registered, notRegistered },
    registered: registered > 0 === notRegistered > 0 ? null : registered > 0,
  };
}

function textsOf(addresses: readonly Address[]): readonly string[] {
  return [...new Set(addresses.map(({ text }) => text))].toSorted();
}

/** What each check URL sees, a sentence each. One that did not answer says nothing here. */
export function describeAnswers(networks: readonly Network[], answers: readonly CheckAnswer[]): string[] {
  return answers.flatMap(({ name, address }) =>
    address === undefined ? [] : [`${name} sees ${address.text}, ${standingText(networks, address)}.`],
  );
}

function standingText(networks: readonly Network[], address: Address): string {
  if (networks.length === 0) return "and PRESTO_EGRESS_IPS is not set, so it is compared with nothing";
  switch (standingOf(networks, address)) {
    case "registered":
      return "which is in PRESTO_EGRESS_IPS";
    case "not-registered":
      return "which is not in PRESTO_EGRESS_IPS";
    case "not-comparable":
      return `and PRESTO_EGRESS_IPS has no IPv${address.family === "ipv4" ? 4 : 6} address to compare it with`;
  }
}
