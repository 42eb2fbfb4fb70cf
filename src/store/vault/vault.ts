import { isObject, type JsonObject } from "../../lib/json.ts";
import {
  type Backend,
  type Holding,
  maxObjectBytes,
  type StoredBytes,
  StoreError,
  type WriteResult,
} from "../contract.ts";
import type { WritableBackend } from "../over-backend.ts";
import { jsonOf, type RemoteResponse } from "../remote.ts";
import type { VaultEntry } from "./access.ts";
import { errorsOf } from "./answers.ts";
import type { VaultSession } from "./session.ts";

export interface VaultBackendOptions {
  readonly entry: VaultEntry;
  readonly holds: Holding;
  /** VAULT_NAMESPACE. */
  readonly namespace?: string | undefined;
}

export interface VaultBackendDeps {
  /** Ended with the backend. */
  readonly session: VaultSession;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
}

const nouns: Readonly<Record<Holding, string>> = { token: "record", credentials: "credentials" };

/** The entry as it was read. */
interface ReadEntry {
  /** What a write has to name; 0 where there is none, nor was one. */
  readonly cas: number;
  /** When that version was written, by Vault's clock; "" where there is none. Versions start again at 1 where the metadata was deleted, but not at the same moment. */
  readonly createdAt: string;
  /** All of its fields; undefined where there is none, or it was deleted. */
  readonly data: JsonObject | undefined;
}

/** Milliseconds between two polls, give or take a fifth: 200 requests a second of 1,000 processes. */
const pollMs = 5_000;
/** While it is away, for a process with an object in hand, and for one that has yet to begin: it is to be ready within 2 s. */
const awayMs = 2_500;
const startingMs = 1_000;
/** The same older version in so many reads is no lagging standby: a backup was put back. */
const believedAfter = 3;

/**
 * One entry of a Vault (or OpenBao). A version is the entry's own and the time of its writing; writes go
 * by its `cas`. Other fields of the entry stay as they are. There is no watch: it is polled.
 */
export function createVaultBackend(
  { entry, holds, namespace = "" }: VaultBackendOptions,
  { session, random }: VaultBackendDeps,
): WritableBackend & Required<Pick<Backend, "pollMs" | "mayGoBack" | "logOut">> {
  const { field } = entry;
  const where = `The ${nouns[holds]} vault:${entry.path}`;
  const locate = createLocator(entry.path, session);
  let newest: ReadEntry | undefined;
  let older = { version: "", reads: 0 };
  let isDoubted = false;
  let isAway = false;

  async function fetchEntry(subject: string): Promise<ReadEntry> {
    const { data: path } = await locate(subject);
    const response = await session.request(subject, { method: "GET", path });
    const found = readEntry(subject, response);
    return isGoingBack(found) ? confirm(subject, path) : accept(found);
  }

  function accept(found: ReadEntry): ReadEntry {
    newest = found;
    older = { version: "", reads: 0 };
    isDoubted = false;
    return found;
  }

  /** Standbys answer reads themselves, and may lag. An entry that was made anew is younger, whatever its number. */
  function isGoingBack({ cas, createdAt }: ReadEntry): boolean {
    return newest !== undefined && cas < newest.cas && inOrder(createdAt) <= inOrder(newest.createdAt);
  }

  /** Reads once more what was older than before, or gone. */
  async function confirm(subject: string, path: string): Promise<ReadEntry> {
    // By now the index that came with the answer has the active node asked.
    const again = readEntry(subject, await session.request(subject, { method: "GET", path }));
    if (!isGoingBack(again) || again.cas === 0) return accept(again);
    const version = versionOf(again);
    older = { version, reads: version === older.version ? older.reads + 1 : 1 };
    if (isDoubted || older.reads >= believedAfter) return accept(again);
    throw new StoreError(
      "unreachable",
      `${subject}: Vault answers with an older version than before, as a standby that lags does. It is asked again; if a backup was put back, it is taken soon.`,
    );
  }

  async function noteEnd<T>(work: Promise<T>): Promise<T> {
    try {
      const result = await work;
      isAway = false;
      return result;
    } catch (error) {
      isAway = true;
      throw error;
    }
  }

  async function read(): Promise<StoredBytes | undefined> {
    const subject = `${where} could not be read`;
    const found = await fetchEntry(subject);
    const text = found.data?.[field];
    if (text === undefined) return undefined;
    const { mount, rest } = await locate(subject);
    return {
      bytes: decode(text, where, field),
      version: versionOf(found),
      identity: { namespace, mount, path: rest },
    };
  }

  async function write(bytes: Uint8Array, expected: string | undefined): Promise<WriteResult> {
    const subject = `${where} could not be written`;
    const current = await fetchEntry(subject);
    const stands = current.data?.[field] === undefined ? undefined : versionOf(current);
    if (stands !== expected) return { outcome: "refused" };
    const data = { ...current.data, [field]: encode(bytes) };
    const body = JSON.stringify({ options: { cas: current.cas }, data });
    const { data: path } = await locate(subject);
    const response = await session.request(subject, { method: "PUT", path, body });
    const written = jsonOf(response)?.["data"];
    const cas = isObject(written) ? written["version"] : undefined;
    const createdAt = isObject(written) ? written["created_time"] : undefined;
    if (response.status === 200 && typeof cas === "number" && typeof createdAt === "string") {
      const stored = accept({ cas, createdAt, data });
      return { outcome: "written", version: versionOf(stored) };
    }
    if (response.status !== 400) throw notVersioned(subject, entry.path);
    // A version that is not the current one is answered like any other bad request: only the text tells, or
    // what stands there, but a standby that lags may not have it yet.
    if (errorsOf(response).includes("check-and-set parameter did not match")) return { outcome: "refused" };
    const after = await fetchEntry(subject);
    if (versionOf(after) !== versionOf(current)) return { outcome: "refused" };
    throw new StoreError(
      "refused",
      `${subject}: Vault refuses it as a bad request (400), and not for its version. See what the entry's metadata asks for: bao kv metadata get ${entry.path}`,
    );
  }

  return {
    kind: "vault",
    where,
    read: () => noteEnd(read()),
    write,
    pollMs() {
      const pauseMs = isAway ? (newest === undefined ? startingMs : awayMs) : pollMs;
      return Math.max(session.restMs(), pauseMs * (0.8 + random() * 0.4));
    },
    mayGoBack() {
      isDoubted = true;
    },
    logOut: session.logOut,
    close: session.close,
  };
}

/** Go writes a time without the zeros at the end of its fraction: as text, .1 would come after .12. */
function inOrder(time: string): string {
  const [, whole = time, fraction = ""] = /^(.*?)(?:\.(\d+))?Z$/.exec(time) ?? [];
  return `${whole}.${fraction.padEnd(9, "0")}`;
}

/** Opaque to all but this file. */
function versionOf({ cas, createdAt }: ReadEntry): string {
  return `${cas} ${createdAt}`;
}

/**
 * Finds where the engine is mounted, which the path alone does not say, and makes sure that it keeps
 * versions: one of version 1 takes every write, compares nothing, and answers as if there were no entry.
 * Asked once. Whoever has any right below a mount may ask.
 */
function createLocator(path: string, session: VaultSession): (subject: string) => Promise<LocatedEntry> {
  let located: LocatedEntry | undefined;
  return async (subject) => {
    located ??= await locateEntry(subject, path, session);
    return located;
  };
}

/** Where an entry is. */
export interface LocatedEntry {
  /** Of the engine, with a slash at its end. */
  readonly mount: string;
  /** The entry's own path in it. */
  readonly rest: string;
  /** These two as requests have them. */
  readonly data: string;
  readonly metadata: string;
}

/** @throws StoreError `refused` where there is no engine, or none that keeps versions */
export async function locateEntry(
  subject: string,
  path: string,
  session: Pick<VaultSession, "request">,
): Promise<LocatedEntry> {
  const request = { method: "GET", path: `sys/internal/ui/mounts/${encodePath(path)}` } as const;
  const response = await session.request(subject, request, path.replace("/", "/data/"));
  const data = jsonOf(response)?.["data"];
  const mount = isObject(data) ? data["path"] : undefined;
  if (!isObject(data) || typeof mount !== "string" || !`${path}/`.startsWith(mount)) {
    throw noEngine(subject, path);
  }
  const options = data["options"];
  if (data["type"] !== "kv" || !isObject(options) || options["version"] !== "2") {
    throw notVersioned(subject, path);
  }
  const rest = path.slice(mount.length);
  if (rest === "") {
    throw new StoreError("refused", `${subject}: that is the secrets engine itself. Name an entry below it.`);
  }
  const [above, below] = [encodePath(mount), encodePath(rest)];
  return { mount, rest, data: `${above}data/${below}`, metadata: `${above}metadata/${below}` };
}

/** Mostly the mount, for messages. */
function mountOf(path: string): string {
  const [mount = ""] = path.split("/", 1);
  return mount;
}

/** Slashes stay. */
function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

function noEngine(subject: string, path: string): StoreError {
  return new StoreError(
    "refused",
    `${subject}: there is no secrets engine there. See bao secrets list, or make one with: bao secrets enable -path=${mountOf(path)} kv-v2`,
  );
}

function notVersioned(subject: string, path: string): StoreError {
  return new StoreError(
    "refused",
    `${subject}: this is no KV engine of version 2, and only that one can keep a later write from undoing another's. Upgrade it with: bao kv enable-versioning ${mountOf(path)}`,
  );
}

/** @throws StoreError for an answer that is none of an entry */
function readEntry(subject: string, response: RemoteResponse): ReadEntry {
  const outer = jsonOf(response)?.["data"];
  const metadata = isObject(outer) ? outer["metadata"] : undefined;
  if (isObject(outer) && isObject(metadata)) {
    const { version, created_time: createdAt } = metadata;
    const { data } = outer;
    if (typeof version === "number" && typeof createdAt === "string") {
      return { cas: version, createdAt, data: isObject(data) ? data : undefined };
    }
  }
  const errors = jsonOf(response)?.["errors"];
  if (response.status === 404 && Array.isArray(errors) && errors.length === 0) {
    return { cas: 0, createdAt: "", data: undefined };
  }
  throw new StoreError(
    "unreachable",
    `${subject}: Vault gave an answer (${response.status}) that is none of a KV engine. It is tried again.`,
  );
}

const base64 = "base64:";

/** As text where it is text, so that people can read it with Vault's own tools. */
function encode(bytes: Uint8Array): string {
  const text = decodeUtf8(bytes);
  return text === undefined || text.startsWith(base64)
    ? `${base64}${Buffer.from(bytes).toString("base64")}`
    : text;
}

function decode(value: unknown, where: string, field: string): Uint8Array {
  if (typeof value !== "string") {
    throw new StoreError(
      "damaged",
      `${where} is damaged: its field ${field} is no text. It was left as it is. See it with: bao kv get; an older version can be put back with: bao kv rollback`,
    );
  }
  const bytes = value.startsWith(base64)
    ? Buffer.from(value.slice(base64.length), "base64")
    : Buffer.from(value, "utf8");
  if (bytes.length <= maxObjectBytes) return bytes;
  throw new StoreError(
    "damaged",
    `${where} is larger than ${maxObjectBytes} bytes, so it is not one. It was left as it is.`,
  );
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
