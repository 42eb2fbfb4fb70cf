/** A Lease of coordination.k8s.io. */
export interface LeaseAddress {
  readonly namespace: string;
  readonly name: string;
}

/** Which lock a renewal is done under. */
export type LockAddress =
  /** The store's own, and no other. */
  | { readonly kind: "own" }
  /** The intent in the record: the store's compare-and-set is all that it takes. */
  | { readonly kind: "store" }
  | ({ readonly kind: "lease" } & LeaseAddress);

/** RFC 1123: a namespace is a label, a Lease's name a subdomain. */
const leaseAddress =
  /^kubernetes:([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)\/([a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)$/;

/** What PRESTO_LOCK names, or what is wrong with it: that goes on from the variable's name, and shows nothing of the text. */
export function parseLockAddress(text: string): LockAddress | string {
  if (text === "store") return { kind: "store" };
  const [, namespace, name] = leaseAddress.exec(text) ?? [];
  if (namespace !== undefined && name !== undefined) return { kind: "lease", namespace, name };
  return "is neither store nor kubernetes:namespace/lease, each in lower case as Kubernetes has it";
}
