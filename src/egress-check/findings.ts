import { type Address, isIn, type Network, speaksOf } from "../lib/ip.ts";
import type { CheckAnswer } from "./ask-address.ts";
import type { AddressCounts } from "./classifier.ts";

/**
 * How an address stands to the registered ones. Of one that is of another version of IP than all
 * of them nothing is said: a check URL may be reached over IPv6 where Presto has IPv4 alone.
 */
export type Standing = "registered" | "not-registered" | "not-comparable";

/** What one round of questions showed. */
export interface Findings {
  /** Each once, as text. Empty where nobody answered. */
  readonly addresses: readonly string[];
  /** Those of them that are not registered. */
  readonly strange: readonly string[];
  readonly counts: AddressCounts;
  /** Null while that is not known: nobody could say, nothing to compare with, or they contradict each other. */
  readonly registered: boolean | null;
}

export const noFindings: Findings = {
  addresses: [],
  strange: [],
  counts: { registered: 0, notRegistered: 0 },
  registered: null,
};

export function standingOf(networks: readonly Network[], address: Address): Standing {
  if (isIn(networks, address)) return "registered";
  return speaksOf(networks, address) ? "not-registered" : "not-comparable";
}

/** @param networks the registered addresses; without any nothing is compared */
export function findOut(networks: readonly Network[], answers: readonly CheckAnswer[]): Findings {
  const seen = answers.flatMap(({ address }) => (address === undefined ? [] : [address]));
  const strange = seen.filter((address) => standingOf(networks, address) === "not-registered");
  const registered = seen.filter((address) => standingOf(networks, address) === "registered").length;
  const notRegistered = strange.length;
  return {
    addresses: textsOf(seen),
    strange: textsOf(strange),
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
      return `and PRESTO_EGRESS_IPS has no IPv${address.bytes.length === 4 ? 4 : 6} address to compare it with`;
  }
}
