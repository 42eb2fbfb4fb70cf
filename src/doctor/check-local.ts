import type { Clock } from "../clock.ts";
import { durationText } from "../lib/duration.ts";
import {
  type StoredCredentials,
  type StoredRecord,
  StoreError,
  type StoreErrorCode,
  type TokenRecord,
  type WriteFault,
} from "../store/contract.ts";
import {
  type CredentialOptions,
  findWriteFault,
  openStore,
  type Place,
  type StoreOptions,
} from "../store/open.ts";
import {
  type ConfigurationResult,
  daysLeft,
  fail,
  type Finding,
  type IssuingOptions,
  lateDetail,
  lateMend,
  ok,
  sentenceOf,
  skip,
  type Attempted,
  warn,
} from "./finding.ts";

/** All that is wrong with the configuration, in one line. */
export function checkConfiguration({ problems, warnings }: ConfigurationResult): Finding {
  if (problems.length > 0) {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    const wrong = problems.map(({ variable, wrong: what }) => `${variable}: ${what}`).join("; ");
    const examples = problems.map(({ example }) => example).join(", ");
    return fail("configuration", "configuration", `${count}: ${wrong}.`, `Write it as in: ${examples}`);
  }
  if (warnings.length > 0) {
    return warn("configuration", warnings.join(" "), "See whether that is what you want; it stops nothing.");
  }
  return ok("configuration", "Every variable is right.");
}

/** What to do about a record that can't be read, beside what the error itself says. */
const storeMends: Readonly<Record<StoreErrorCode, string>> = {
  unreadable: "See to owner, mode and disk of what is named here; nothing was changed.",
  unreachable: "See that the server of the store runs, and can be reached from here.",
  refused: "Give this process the right that is named here.",
  "wrong-key":
    "Set PRESTO_STORE_KEY (or the file that PRESTO_STORE_KEY_FILE names) to the key that it was sealed with.",
  damaged: "Put a backup in its place, or move it away and import or issue a token anew.",
  "newer-schema": "Run the version that wrote it, or a newer one.",
  "not-yet": "Put it there.",
  "bad-token": "Put the token there alone, as Presto issued it.",
  "bad-credentials": "Put the account's own e-mail address and password there.",
};

export interface StoreUse {
  /** Does this role store tokens there? */
  readonly mustWrite: boolean;
  /** What a sidecar that runs here says of a token that it could not store yet. */
  readonly inMemory?: string | undefined;
}

/** Does the store open, with this key and these modes; and can a role that issues write it? */
export function checkStore(
  attempted: Attempted<ReadStore>,
  options: StoreOptions,
  { mustWrite, inMemory }: StoreUse,
): Finding {
  if (attempted.kind === "late") return fail("store", "unreachable", lateDetail, lateMend);
  if (attempted.kind === "failed") return unreadable(attempted.error, options);
  const { stored, writeFault } = attempted.value;
  if (inMemory !== undefined) {
    return fail(
      "store",
      "unreachable",
      `A sidecar runs here, and says: ${inMemory}`,
      `${writeFault === undefined ? "Its log says what keeps it from writing; mend that" : `${writeFault.detail}. ${writeFault.mend} Do that`}, and do not end the process before.`,
    );
  }
  if (mustWrite && writeFault !== undefined) {
    const detail = `${writeFault.detail}, and this role has to store tokens there.`;
    return fail("store", "configuration", detail, writeFault.mend);
  }
  if (stored === undefined) return ok("store", options.doctor.empty);
  if (stored.sealedWithFirstKey === false) {
    return warn(
      "store",
      `${options.doctor.record} opens, but with another than the first of the store keys.`,
      "Start a role that issues with these keys, which seals it with the first one, before you take the other key away.",
    );
  }
  return ok("store", options.doctor.allWell);
}

function unreadable(error: unknown, { keys, doctor }: StoreOptions): Finding {
  const code = error instanceof StoreError ? error.code : undefined;
  // What a sealed store waits for is its key. One without a key has no token.
  if (code === "not-yet" && keys === undefined) {
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
  const mend =
    code === undefined ? "Use a store that this system can have." : (doctor.mends[code] ?? storeMends[code]);
  return fail("store", meaningOf(code), sentenceOf(error), mend);
}

/** A server that is away, or refuses, is no fault of the configuration. */
function meaningOf(code: StoreErrorCode | undefined): "configuration" | "unreachable" | "refused" {
  return code === "unreachable" || code === "refused" ? code : "configuration";
}

/** What a record is checked against. */
export interface TokenOptions {
  readonly record: TokenRecord | undefined;
  /** Only of a record that was written for another object: why nothing is issued by it, and what to do. */
  readonly elsewhere?: { readonly detail: string; readonly mend: string } | undefined;
  readonly store: Pick<Place, "kind" | "canWrite" | "doctor">;
  /** Undefined where this role issues no tokens. */
  readonly issuing: Pick<IssuingOptions, "automatic" | "renewAt"> | undefined;
  /** Wall clock, milliseconds since 1970. */
  readonly now: number;
}

/** Whoever is told of a token's near end in days can still act by hand. */
const warnFromDays = 7;

/** Is a token there, how long does it live, and does anything stand in the way of the next one? */
export function checkToken(options: TokenOptions): Finding[] {
  return [checkPresence(options), checkLife(options), checkRenewal(options)];
}

function checkPresence({ record, issuing }: TokenOptions): Finding {
  const token = record?.token ?? null;
  if (record !== undefined && token !== null) {
    return ok("token", `Generation ${record.generation}, fingerprint ${token.fingerprint()}.`);
  }
  if (issuing?.automatic === true) {
    return warn("token", "There is none yet.", "Start the sidecar, which has Presto issue the first one.");
  }
  return fail(
    "token",
    "no-token",
    "There is no token in the store.",
    issuing === undefined
      ? "Have the role that issues put one there, or run: presto-sidecar token import"
      : "PRESTO_RENEW is manual: run presto-sidecar token issue, or presto-sidecar token import",
  );
}

function checkLife({ record, store, issuing, now }: TokenOptions): Finding {
  if (record === undefined || record.token === null) return skip("token-life", "There is no token.");
  const { issuedAt, expiresAt } = record;
  if (expiresAt === null) {
    return store.canWrite
      ? warn(
          "token-life",
          "When the token ends is not known, so it is renewed only once Presto refuses it.",
          "Import it again with --expires, or run: presto-sidecar token renew",
        )
      : skip("token-life", `A token of ${store.kind}: comes without the date of its end.`);
  }
  const left = expiresAt.getTime() - now;
  const ends = `at ${expiresAt.toISOString()}`;
  if (left <= 0) {
    const detail = `The token has expired, ${ends}.`;
    return issuing?.automatic === true
      ? warn("token-life", detail, "Start the sidecar, which renews it at once; where one runs, see its log.")
      : fail("token-life", "refused", detail, "Have the role that issues renew it, or import a live one.");
  }
  const detail = `The token lives for ${durationText(left)}, until ${expiresAt.toISOString()}.`;
  if (issuing?.automatic !== true) {
    return daysLeft(left) < warnFromDays
      ? warn("token-life", detail, "See that the role that issues runs, or put a newer one there in time.")
      : ok("token-life", detail);
  }
  // Jitter and a window put a renewal off, but not by half of what is planned to be left.
  const life = issuedAt === null ? undefined : expiresAt.getTime() - issuedAt.getTime();
  const overdue = life !== undefined && left < (life * (1 - issuing.renewAt)) / 2;
  return overdue
    ? warn(
        "token-life",
        `${detail} By PRESTO_RENEW_AT it should have been renewed before.`,
        "See that a sidecar runs that renews it, and what its log says; by hand: presto-sidecar token renew",
      )
    : ok("token-life", detail);
}

function checkRenewal({ record, elsewhere, store, issuing }: TokenOptions): Finding {
  if (!store.canWrite) return skip("renewal", `A token of ${store.kind}: is renewed elsewhere.`);
  if (record === undefined) return skip("renewal", "There is no record.");
  if (elsewhere !== undefined) {
    const detail = elsewhere.detail.replaceAll(/\p{Cc}/gu, " ");
    return issuing === undefined
      ? warn("renewal", detail, elsewhere.mend)
      : fail("renewal", "refused", detail, elsewhere.mend);
  }
  const { stopped, intent } = record;
  if (stopped !== null) {
    const detail = `Renewing is stopped since ${stopped.at.toISOString()}: ${stopped.reason.replaceAll(/\p{Cc}/gu, " ")}`;
    const mend =
      "Find out who else issues tokens with this account, then run: presto-sidecar token renew --force";
    const sentence = detail.endsWith(".") ? detail : `${detail}.`;
    // What serves goes on serving; only who issues is stopped by it.
    return issuing === undefined
      ? warn("renewal", sentence, mend)
      : fail("renewal", "refused", sentence, mend);
  }
  if (intent !== null) {
    return warn(
      "renewal",
      `One was begun at ${intent.at.toISOString()}, and its end is not known yet.`,
      "Wait for the sidecar that renews to end it; where none runs: presto-sidecar token renew",
    );
  }
  return ok("renewal", "None is under way, and nothing stops the next one.");
}

/**
 * Can the account's e-mail and password be read, is the password settled, and does Presto take them? Neither is ever shown.
 * @param refused why Presto does not, as a sidecar that runs here says; undefined where none says so
 */
export function checkCredentials(
  attempted: Attempted<StoredCredentials | undefined>,
  options: CredentialOptions,
  refused?: string,
): Finding {
  if (attempted.kind === "late") return fail("credentials", "unreachable", lateDetail, lateMend);
  if (attempted.kind === "failed") {
    const { error } = attempted;
    const mends = "doctor" in options ? { ...storeMends, ...options.doctor.mends } : storeMends;
    const mend =
      error instanceof StoreError ? mends[error.code] : "Use credentials that this system can have.";
    const code = error instanceof StoreError ? error.code : undefined;
    return fail("credentials", meaningOf(code), sentenceOf(error), mend);
  }
  const stored = attempted.value;
  if (stored === undefined) {
    return fail(
      "credentials",
      "configuration",
      "There are none in PRESTO_CREDENTIALS.",
      "Put them there with: presto-sidecar credentials import",
    );
  }
  if (refused !== undefined) {
    return fail(
      "credentials",
      "refused",
      `They can be read, and Presto refuses them. The sidecar that runs here says: ${refused}`,
      "Give the account's right ones (presto-sidecar credentials import, or the variables and files of PRESTO_EMAIL and PRESTO_PASSWORD): it tries them as soon as they change.",
    );
  }
  if (stored.credentials.pending !== null) {
    return warn(
      "credentials",
      "They can be read, but a password reset was begun whose end is not known.",
      "Settle it with: presto-sidecar password reset",
    );
  }
  if (stored.sealedWithFirstKey === false) {
    return warn(
      "credentials",
      "They can be read, but with another than the first of the store keys.",
      "Start a role that issues with these keys, which seals them with the first one, before you take the other key away.",
    );
  }
  return ok("credentials", `The e-mail address and the password can be read (${options.kind}:).`);
}

/** What the store holds, read once. */
export interface ReadStore {
  readonly stored: StoredRecord | undefined;
  /** Why this process could not write there; undefined where it could, or nobody writes. */
  readonly writeFault: WriteFault | undefined;
}

/** Reads the store as `start` does, and writes nothing. @throws StoreError or CommandError as the store does */
export async function readRecord(options: StoreOptions, clock: Clock): Promise<ReadStore> {
  const store = await openStore(options, { clock });
  try {
    const stored = await store.read();
    return { stored, writeFault: await findWriteFault(options) };
  } finally {
    await store.logOut?.();
    store.close();
  }
}
