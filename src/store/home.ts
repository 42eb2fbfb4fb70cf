import { CommandError } from "../errors.ts";
import type { Home, StoredRecord, TokenRecord, WritableStore, WriteResult } from "./contract.ts";

/**
 * Does this record stand in the object that it was written for? One that names none is one's own. A copied
 * namespace, or a restore on a second site, brings a record along that another place's processes look after.
 */
export function isAtHome(found: StoredRecord | undefined): boolean {
  const home = found?.record.home ?? null;
  const identity = found?.identity;
  if (home === null || identity === undefined) return true;
  return Object.entries(identity).every(([key, value]) => home[key] === value);
}

/** What a record that is written over this one names as its object; null where that is not known, or the place tells none. */
export function homeOf(found: StoredRecord | undefined): Home | null {
  return found?.identity ?? null;
}

/** The same for a write that is not of a token: what is named already stays, whatever it is. */
export function homeKept(found: StoredRecord | undefined): Home | null {
  return found?.record.home ?? homeOf(found);
}

/**
 * Right after a create: which object was made is known only once it stands there, and a copy that is made of it must not
 * be taken for the original. What can't be read now, or was written over, is filled in by the next write.
 * @returns undefined where nothing was to be filled in; else how that write ended
 */
export async function fillInHome(
  store: WritableStore,
  record: TokenRecord,
  version: string,
): Promise<(WriteResult & { readonly home: Home }) | undefined> {
  const found = await store.read().catch(() => undefined);
  const home = found?.identity;
  if (found?.version !== version || home === undefined) return undefined;
  return { ...(await store.write({ ...record, home }, version)), home };
}

/** Why nothing is issued by this record, and what a person can do about it. */
export function explainElsewhere(found: StoredRecord | undefined): {
  readonly detail: string;
  readonly mend: string;
} {
  return {
    detail: `The record was written for another object (${words(found?.record.home)}) than the one that it stands in (${words(found?.identity)}), as in a copied namespace, or after a restore on a second site. If both sides issued, each would kill the other's token: this one issues none, and changes nothing.`,
    mend: "If the other has ended for good, take the record as this side's own: presto-sidecar token renew --force",
  };
}

/** The same in one text. */
export function describeElsewhere(found: StoredRecord | undefined): string {
  const { detail, mend } = explainElsewhere(found);
  return `${detail} ${mend}`;
}

function words(home: Home | null | undefined): string {
  const parts = Object.entries(home ?? {}).map(([key, value]) => `${key} ${JSON.stringify(value)}`);
  return parts.join(", ").slice(0, mostLetters);
}

/** What stands in a record may be anybody's doing. */
const mostLetters = 200;

/** @throws CommandError `refused` where the record was written for another object */
export function refuseElsewhere(found: StoredRecord | undefined): void {
  if (!isAtHome(found)) throw new CommandError("refused", describeElsewhere(found));
}
