import { CodedError } from "../errors.ts";
import type { JsonObject } from "../lib/json.ts";
import type { Secret } from "../secret.ts";

/** Why a renewal was begun. */
export type RenewalReason = "scheduled" | "rejected" | "takeover" | "manual";

/** A renewal under way: written before the call that may kill the stored token. */
export interface Intent {
  /** UUID, new for every issue call. */
  readonly id: string;
  /** UUID of the process that wrote it, new at every process start. */
  readonly holder: string;
  /** True only if the stored token was proved alive just before, and no intent stood: "dead" then proves that this call was executed. */
  readonly soleCall: boolean;
  readonly reason: RenewalReason;
  /** Wall clock of the writer, for people; compared with nothing. */
  readonly at: Date;
  /** Fields of a later version: they survive this one's writes. */
  readonly others?: JsonObject;
}

/** What tells one object of a place from every other, one with the same name at another site included. */
export type Home = Readonly<Record<string, string>>;

/** The latched alarm: somebody else issues tokens on this account. Only a person clears it. */
export interface Stopped {
  readonly reason: string;
  readonly at: Date;
  /** Fields of a later version: they survive this one's writes. */
  readonly others?: JsonObject;
}

/** Who wrote a version of the record: for diagnosis. */
export interface WrittenBy {
  readonly holder: string;
  readonly lock: string;
  /** Fields of a later version. */
  readonly others?: JsonObject;
}

/**
 * What a store keeps: one object, written whole. Two records are told apart by the
 * store's version and by the token's id, never by `generation`: a restored backup sets
 * that back, and two late writers can reuse a number.
 */
export interface TokenRecord {
  readonly schema: 1;
  /** One more for each stored token. For people, logs and metrics. */
  readonly generation: number;
  /** Null only before the first token. */
  readonly token: Secret | null;
  readonly name: string | null;
  /** Presto's `created_at`, or the time of import; for display and the length of life. */
  readonly issuedAt: Date | null;
  /** Null where it is unknown (an imported token). */
  readonly expiresAt: Date | null;
  /** By the clock of the process that had it issued this token was due again at once. Absent from older records. */
  readonly dueWhenIssued?: boolean;
  readonly intent: Intent | null;
  /** When stored tokens were found dead without an intent that explains it. */
  readonly unexplainedDeaths: readonly Date[];
  /** Id of the token that the last of them was for: a token dies once, however often it is found dead, over restarts too. Absent from older records. */
  readonly lastDeath?: string | null;
  readonly stopped: Stopped | null;
  readonly writtenBy: WrittenBy | null;
  /** The object that it was written for, where its place tells objects apart. Absent from older records, and right after a create: one's own. */
  readonly home?: Home | null;
  /** Fields of a later version: they survive this one's writes. */
  readonly others?: JsonObject;
}

/** What a place says of an object beside its bytes. */
export interface ObjectInfo {
  /** Which object it is. Undefined where a place does not tell its objects from others: what stands there is one's own. */
  readonly identity?: Home;
  /** Who wrote it last, as far as the place says so, for people: goes on from "written by". */
  readonly lastWriter?: () => string | undefined;
}

/** A record as it was read, with the store's own version of it. */
export interface StoredRecord extends ObjectInfo {
  readonly record: TokenRecord;
  /** Opaque; differs whenever the stored bytes were written anew. Compared for equality only. */
  readonly version: string;
  /**
   * Only from stores that seal: false where another than the first key opened the record, so
   * that whoever may write should write it anew.
   */
  readonly sealedWithFirstKey?: boolean;
  /** True for a record of a later version, of which this one reads what serving needs: never to be written. */
  readonly isLater?: true;
}

/**
 * `written`: the bytes now stand there under `version`. `refused`: something else than `expected`
 * stands there; nothing was changed. A write that throws is *unclear*: it may have been applied,
 * and may yet be applied, so the caller must read again and compare, never assume.
 */
export type WriteResult =
  | { readonly outcome: "written"; readonly version: string }
  | { readonly outcome: "refused" };

/** Which of the two objects of this program. */
export type Holding = "token" | "credentials";

/** An object's bytes, with the place's own version of them. */
export interface StoredBytes extends ObjectInfo {
  readonly bytes: Uint8Array;
  /** Opaque; differs wherever the bytes differ. Compared for equality only. */
  readonly version: string;
}

/** Bytes, at most. An object is a few hundred, plus four thirds of the token. */
export const maxObjectBytes = 1024 * 1024;

/**
 * A place that keeps one object: bytes, and a version of them. It knows nothing of tokens, keys
 * or records, and serves the token and the credentials alike: what the bytes mean, and whether
 * they are sealed, is written once above it (`over-backend.ts`). What a place cannot do it does not
 * offer. Nothing is faked.
 *
 * Contract, tested by one suite on every adapter (`test/contract/backend.ts`):
 * - `read` always goes to the place itself, never to a cache of this process. It answers
 *   undefined only where it is sure that no object is there. Else it throws a `StoreError`:
 *   `unreadable` where this system refuses (permission, owner, I/O), `unreachable` where a server
 *   does not answer for now, `refused` where it does not let this process, and for what can be no
 *   object of ours (larger than `maxObjectBytes`) `damaged`. It never guesses.
 * - `write` is a compare-and-set on the version last read (`undefined`: create only if absent).
 *   It is durable once it has answered `written`; of several writes on one version one at most is.
 *   Where it throws, the write is unclear, but for a `CommandError` `try-again`, where another process writes
 *   for too long: then nothing was written. `system-refused` says that this system would not let it be written:
 *   its lock could not be made, or the disk is full, or what was renamed could not be made durable.
 * - `watch` calls back soon after a change; it may do so without one. It returns what ends it.
 * - `pollMs` is asked after each read, and now and then until the next. It spreads the reads of many processes, and rests a server that asks for it.
 * - `lock` makes the place's own lock, and takes nothing. Whoever holds it does not keep anybody
 *   from a `write`: that is the compare-and-set's work.
 * - After `close` nobody is called back.
 * - No error holds a byte of the object.
 */
export interface Backend {
  /** The word before the colon of its address, for people. */
  readonly kind: string;
  /** Names the object at the start of a message: `The record /path`. */
  readonly where: string;
  read(): Promise<StoredBytes | undefined>;
  write?(bytes: Uint8Array, expected: string | undefined): Promise<WriteResult>;
  watch?(onChange: () => void): () => void;
  /** Milliseconds until it should be read again without being told of a change, where it has a mind of its own about that. */
  pollMs?(): number;
  /**
   * What was read last is of no use any more, since Presto refuses it. A place whose reads may be old, and which
   * goes back to no older version for that, takes one that a second read confirms.
   */
  mayGoBack?(): void;
  /** Would its watch tell of a change at this moment, as far as this side can know? Only of a watch that can fail. */
  isWatching?(): boolean;
  /** What the last read found in the place of an object, a sentence; undefined where it found one, or has no more to say. */
  absence?(): string | undefined;
  lock?(): RenewalLock;
  /** Gives back what it holds at its server, if that is soon done: asked for at a clean end, before `close`. */
  logOut?(): Promise<void>;
  close(): void;
}

/** Why a process could not write to a place, for the doctor. */
export interface WriteFault {
  /** Goes on: `, and this role has to store tokens there.` */
  readonly detail: string;
  readonly mend: string;
}

/**
 * Where the token lives, as the rest of the program sees it. What a store cannot do it does not
 * offer: a read-only store has no `write`, one that cannot tell of changes has no `watch`.
 *
 * The promises of `Backend`, of records in the place of bytes, and these (`test/contract/store.ts`):
 * - `read` throws a `StoreError` where the record is there but can't be opened or understood.
 * - `write` overwrites nothing that this process could not read, and stores nothing that it could
 *   not read back.
 * - No error holds the token, or bytes of the record.
 */
export interface TokenStore {
  /** The word before the colon of its address, for people. */
  readonly kind: string;
  /** False if no later read can give another record (a token given by value). */
  readonly canChange: boolean;
  read(): Promise<StoredRecord | undefined>;
  /**
   * As `read`, for those who only send calls with the token: of a record that a later version wrote
   * it reads what they need, where that can be read. In a rollback a fleet's records are such ones.
   */
  readToServe?(): Promise<StoredRecord | undefined>;
  write?(record: TokenRecord, expected: string | undefined): Promise<WriteResult>;
  /** Calls back soon after a change; may call back without one. Returns what ends the watch. */
  watch?(onChange: () => void): () => void;
  /** As the place has it; where it has none, whoever reads decides. */
  pollMs?(): number;
  /** As the place has it: Presto refuses the token that was read last. */
  mayGoBack?(): void;
  /** How following it goes, for people. */
  report?(): StoreReport;
  /** The lock under which the token is renewed, the record is imported, the account's password is changed. */
  lock?(): RenewalLock;
  /** As the place has it. */
  logOut?(): Promise<void>;
  close(): void;
}

/** A store as whoever writes records knows it. */
export type WritableStore = Required<Pick<TokenStore, "read" | "write">>;

/** How following a store goes. */
export interface StoreReport {
  /** Of the last read that went well; null before the first. */
  readonly readAt: Date | null;
  /** Why the last read went wrong, a sentence; null where it did not. */
  readonly failure: string | null;
  /** `down`: it is only polled for now. Null where it has no watch that can fail. */
  readonly watch: "live" | "down" | null;
  /** What the last read found in the place of a record, a sentence; null where that is not known. */
  readonly absence: string | null;
}

/**
 * Literal code of a store's failure.
 * - `unreadable`: the system did not let it be read (permission, mode, owner, I/O): says which path, and the mend.
 *   What it does not let be written is a `CommandError` `system-refused`, as a lock's file that it does not let be made is.
 * - `unreachable`: the server that keeps it does not answer for now. Trying again helps.
 * - `refused`: that server does not let this process: says which right or login is missing.
 * - `wrong-key`: none of the keys opens the record.
 * - `damaged`: not a record at all, cut short, or tampered with.
 * - `newer-schema`: written by a later version of this program.
 * - `not-yet`: what the record is read from (a `…_FILE`) is absent or empty for now.
 * - `bad-token`: bytes that can't stand in a header field.
 * - `bad-credentials`: text that can't be an e-mail address, or a password.
 */
export type StoreErrorCode =
  | "unreadable"
  | "unreachable"
  | "refused"
  | "wrong-key"
  | "damaged"
  | "newer-schema"
  | "not-yet"
  | "bad-token"
  | "bad-credentials";

/** A store that could not be read or written. The message is for people, says what to do, and holds no secret. */
export class StoreError extends CodedError<StoreErrorCode> {
  override readonly name = "StoreError";
}

/**
 * Is it wrong on this side, so that a start had better end? What is away or refuses comes back; what stands
 * in a remote place may be anybody's, and what a later version wrote stands there during a rollback: either would
 * put every process that is started anew into a crash loop.
 */
export function isOwnFault({ code }: StoreError, isRemote: boolean): boolean {
  switch (code) {
    case "not-yet":
    case "unreachable":
    case "refused":
    case "newer-schema":
      return false;
    case "damaged":
      return !isRemote;
    default:
      return true;
  }
}

/** The account, as a credential store keeps it. */
export interface Credentials {
  readonly email: Secret;
  /** The password that worked last. */
  readonly password: Secret;
  /** A new one whose reset has not been settled: it may be the account's by now. Never replaced or dropped unproven. */
  readonly pending: Secret | null;
}

export interface StoredCredentials {
  readonly credentials: Credentials;
  /** Opaque; compared for equality only. */
  readonly version: string;
  /** Only from stores that seal: false where another than the first key opened it. */
  readonly sealedWithFirstKey?: boolean;
}

/**
 * Where the account's e-mail and password live, with the promises of `TokenStore`. A source that
 * is only read has no `write`.
 */
export interface CredentialStore {
  /** The word before the colon of its address, for people. */
  readonly kind: string;
  read(): Promise<StoredCredentials | undefined>;
  write?(credentials: Credentials, expected: string | undefined): Promise<WriteResult>;
  /** Calls back soon after a change, at the latest when it is next looked for; may call back without one. Returns what ends the watch. */
  watch(onChange: () => void): () => void;
  /** As the place has it. */
  logOut?(): Promise<void>;
  close(): void;
}

/** A place for credentials that can be written. */
export type WritableCredentialStore = CredentialStore & Required<Pick<CredentialStore, "write">>;

/** A Pod of Kubernetes. */
export interface PodName {
  readonly namespace: string;
  readonly name: string;
}

/** What to wait for, and how long. */
export interface AcquireOptions {
  /** Milliseconds to wait while another holds the lock; 0 asks once, `Infinity` waits for as long as it takes. */
  readonly waitMs: number;
  /**
   * Goes on waiting past `waitMs` while whoever holds a lock that has a term does not move: only a whole term (LEASE) tells
   * one that was left behind, and a process that asks once and ends would never see it. False unless given.
   */
  readonly outwaits?: boolean;
  /** Ends the waiting: `acquire` then rejects with its reason. */
  readonly signal?: AbortSignal;
  /**
   * Told who holds the lock, as soon as it turns out that somebody does and now and then from then on.
   * @param holder the subject of a sentence, for people
   * @param waitedMs for how long it was waited for
   * @param pod the Pod that the holder runs in, of a lock that several hosts share, and if it is another than this process's
   */
  readonly onHeld?: (holder: string, waitedMs: number, pod?: PodName) => void;
}

/**
 * The lock, as its holder has it. One with a term keeps itself while it is held: a holder may
 * wait for longer than a term. No holder can be sure of it all the same: a process that was
 * paused may have lost it.
 */
export interface HeldLock {
  /** What kind of lock and which, and of one between hosts who has it, for `writtenBy` in the record: people read it. */
  readonly identity: string;
  /** Monotonic time until which nobody else can have it, in the past once it is lost; `Infinity` for a lock that ends only with its process. */
  heldUntil(): number;
  /** Takes a full term from now; false if the lock is not ours any more, and then it stays so. Rejects if that can't be learnt. */
  renew(): Promise<boolean>;
  /** Gives it back if it is still ours; calling it twice does nothing. Never rejects: a lock that can't be given back runs out. */
  release(): Promise<void>;
  /** Only of a lock that is the record's own intent: what its holder must heed, and tell it. */
  readonly intent?: IntentTerm;
}

/** The term of an intent that is the lock. It begins with the write of the intent, so the lock can't renew it by itself. */
export interface IntentTerm {
  /** False where another's intent stands in this record that may still be somebody's work: nothing is written then. */
  mayTouch(found: StoredRecord | undefined): boolean;
  /** An intent of ours stands, by a write that was sent at that monotonic time: the term is counted from then. */
  stands(sentAt: number): void;
  /** Monotonic time from which on an intent that still stands is to be written anew, lest others take it for left behind. */
  dueAt(): number;
}

/**
 * One holder at a time. It does not fence: Presto can't see it, so whoever believes to hold
 * it can still send. Not re-entrant: whoever holds it and asks again waits for itself.
 */
export interface RenewalLock {
  /** What kind of lock and which: `Lease presto/token`. */
  readonly name: string;
  /**
   * @throws CommandError `try-again`, which says who holds it, when the time is up
   * @throws StoreError where a server keeps it, as that server refuses or does not answer
   */
  acquire(options: AcquireOptions): Promise<HeldLock>;
}

/** One with connections of its own. */
export interface OpenLock extends RenewalLock {
  close(): void;
}
