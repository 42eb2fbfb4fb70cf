import { Secret } from "../../../src/secret.ts";
import type { TokenRecord, TokenStore } from "../../../src/store/contract.ts";
import { emptyRecord } from "../../../src/store/record.ts";
import type { Relay } from "../relay.ts";

export type FleetRole = "proxy" | "rotator";

/** Something that befalls the servers of a store. */
export interface Outage {
  readonly name: string;
  begin(): Promise<void>;
  end(): Promise<void>;
}

/** A real store, with what a fleet needs to get at it, and what can befall it. */
export interface FleetPlace {
  readonly kind: string;
  /** Every process gets there by it. */
  readonly relay: Relay;
  /** Variables of a process of that role: where the store is, and what lets it in there, with the least right. */
  env(role: FleetRole): Readonly<Record<string, string>>;
  /** What stands in the store, read as its administrator. Rejects while it is away. */
  record(): Promise<TokenRecord | undefined>;
  /** Stores a token as its administrator. @returns its generation */
  put(token: string): Promise<number>;
  /** Requests about the token's object that the servers had of all processes, since they were started. */
  requests(): Promise<number>;
  readonly outages: readonly Outage[];
  close(): Promise<void>;
}

/** Stores a token by compare-and-set. @returns its generation */
export async function putToken({ read, write }: TokenStore, token: string): Promise<number> {
  const found = await read();
  const generation = (found?.record.generation ?? 0) + 1;
  const record = { ...emptyRecord, ...found?.record, token: new Secret(token), generation };
  const end = await write?.(record, found?.version);
  if (end?.outcome !== "written") throw new Error("somebody else wrote the record");
  return generation;
}
