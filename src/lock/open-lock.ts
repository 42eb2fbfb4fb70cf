import type { Clock } from "../clock.ts";
import { Failure } from "../errors.ts";
import { renewalLockPath } from "../store/file-paths.ts";
import type { RenewalLock } from "./renewal-lock.ts";
import { createSingleHostLock } from "./single-host.ts";

/** What is locked: a store, as its options name it. */
export type LockedPlace = { readonly kind: "env" } | { readonly kind: "file"; readonly path: string };

/**
 * The lock of a store, under which its token is renewed, its record is imported, its account's
 * password is changed. Takes nothing yet.
 * @throws Failure `refused` for a store that can only be read
 */
export function openRenewalLock(place: LockedPlace, { clock }: { readonly clock: Clock }): RenewalLock {
  switch (place.kind) {
    case "env":
      throw new Failure(
        "refused",
        "PRESTO_STORE is env:, which can only be read: its token is looked after by somebody else. Name a store that can be written, such as PRESTO_STORE=file:/var/lib/presto/token.",
      );
    case "file":
      return createSingleHostLock({
        path: renewalLockPath(place.path),
        what: `the record ${place.path}`,
        clock,
      });
  }
}
