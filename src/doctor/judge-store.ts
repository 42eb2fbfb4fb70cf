import { dirname } from "node:path";

import { StoreError, type StoreErrorCode } from "../store/contract.ts";
import type { StoreOptions } from "../store/open.ts";
import { fail, type Finding, ok, warn } from "./finding.ts";
import type { ReadStore } from "./read-record.ts";
import { lateDetail, lateMend, sentenceOf, type Tried } from "./tried.ts";

/** What to do about a record that can't be read, beside what the error itself says. */
export const storeMends: Readonly<Record<StoreErrorCode, string>> = {
  unreadable: "See to owner, mode and disk of what is named here; nothing was changed.",
  "wrong-key":
    "Set PRESTO_STORE_KEY (or the file that PRESTO_STORE_KEY_FILE names) to the key that it was sealed with.",
  damaged: "Put a backup in its place, or move it away and import or issue a token anew.",
  "newer-schema": "Run the version that wrote it, or a newer one.",
  "not-yet": "Put it there.",
  "bad-token": "Put the token there alone, as Presto issued it.",
  "bad-credentials": "Put the account's own e-mail address and password there.",
};

/** Does the store open, with this key and these modes; and can a role that issues write it? */
export function judgeStore(tried: Tried<ReadStore>, options: StoreOptions, mustWrite: boolean): Finding {
  const { kind } = options;
  if (tried.kind === "late") return fail("store", "unreachable", lateDetail, lateMend);
  if (tried.kind === "failed") return unreadable(tried.error, kind);
  const { stored, folderFault } = tried.value;
  if (options.kind === "env") return ok("store", "The token can be read (env:, which is never written).");
  if (mustWrite && folderFault !== undefined) {
    return fail(
      "store",
      "configuration",
      `The folder ${dirname(options.path)} can't be written by this user (${folderFault}), and this role has to store tokens there.`,
      "Make the folder, or let this user write it.",
    );
  }
  if (stored === undefined) return ok("store", `There is no record in ${options.path} yet.`);
  if (stored.sealedWithFirstKey === false) {
    return warn(
      "store",
      `The record ${options.path} opens, but with another than the first of the store keys.`,
      "Start a role that issues with these keys, which seals it with the first one, before you take the other key away.",
    );
  }
  return ok("store", `The record ${options.path} opens, and is this user's alone.`);
}

function unreadable(error: unknown, kind: StoreOptions["kind"]): Finding {
  const code = error instanceof StoreError ? error.code : undefined;
  // Without its file an env: store has no token. What a file: store waits for is its key.
  if (code === "not-yet" && kind === "env") {
    return fail("store", "no-token", sentenceOf(error), "Put the token there.");
  }
  if (code === "not-yet") {
    return fail(
      "store",
      "configuration",
      sentenceOf(error),
      "Put the key there; where there is none yet, make one with: presto-sidecar keygen",
    );
  }
  const mend = code === undefined ? "Use a store that this system can have." : storeMends[code];
  return fail("store", "configuration", sentenceOf(error), mend);
}
