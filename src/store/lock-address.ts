import { type NamespacedName, parseNamespacedName } from "./kubernetes/names.ts";

/** A Lease of coordination.k8s.io. */
export type LeaseAddress = NamespacedName;

/** Which lock a renewal is done under. */
export type LockAddress =
  /** The store's own, and no other. */
  | { readonly kind: "own" }
  /** The intent in the record: the store's compare-and-set is all that it takes. */
  | { readonly kind: "store" }
  | ({ readonly kind: "lease" } & LeaseAddress);

/** What PRESTO_LOCK names, or what is wrong with it: that goes on from the variable's name, and shows nothing of the text. */
export function parseLockAddress(text: string): LockAddress | string {
  if (text === "store") return { kind: "store" };
  const lease = parseNamespacedName(text);
  if (lease !== undefined) return { kind: "lease", ...lease };
  return "is neither store nor kubernetes:namespace/lease, each in lower case as Kubernetes has it";
}
