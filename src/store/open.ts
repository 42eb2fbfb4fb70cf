import { posix } from "node:path";

import type { Clock } from "../clock.ts";
import { faultOfPath } from "../files/io.ts";
import { random } from "../lib/async.ts";
import { type Emit, ignore, type Warning } from "../lib/events.ts";
import type {
  CredentialStore,
  Holding,
  PodName,
  StoreErrorCode,
  TokenStore,
  WritableCredentialStore,
  WriteFault,
} from "./contract.ts";
import { filesOf } from "./file/lock.ts";
import type { ClusterOptions } from "./kubernetes/cluster.ts";
import { parseSecretAddress } from "./kubernetes/names.ts";
import type { LockAddress } from "./lock-address.ts";
import { createCredentialStore, createTokenStore, type WritableBackend } from "./over-backend.ts";
import type { SecretSource } from "./secret-source.ts";
import { parseVaultEntry, type VaultAccess } from "./vault/access.ts";

/** What every store is given by the program. */
export interface StoreDeps {
  readonly clock: Clock;
  /** Told what will go wrong with it before long. */
  readonly emit?: Emit<Warning>;
}

/** The servers that places are kept by, and what is needed to be let in there. */
export interface Servers {
  readonly kubernetes: ClusterOptions;
  readonly vault: VaultAccess;
}

export type ServerName = keyof Servers;

/**
 * A place, as an address such as `file:/path` names it: what may be asked of it before it is
 * opened. Configuration, doctor and commands ask this, and never which kind it is.
 */
export interface Place {
  /** The word before the colon, for people. */
  readonly kind: string;
  /** What stands behind the colon, checked. */
  readonly address: string;
  /** False where somebody else looks after the token: it is taken as it is, and nothing is stored, issued or locked. */
  readonly canWrite: boolean;
  /** Is the token itself given by the configuration? */
  readonly takesToken: boolean;
  /** Is it kept by a server, which may be away, and where what stands may be anybody's doing? */
  readonly isRemote: boolean;
  /** The server that the configuration must say how to reach. */
  readonly server?: ServerName;
  /** What a renewal is done under, unless another is named; undefined where nothing is written. */
  readonly lock: LockAddress | undefined;
  /** Is what stands there sealed? */
  readonly sealing: "always" | "with-a-key" | "never";
  /** All that it takes for itself: two places that share an object are one. */
  readonly objects: readonly string[];
  /** Why credentials can't be where they would share an object with this one. Goes on from the variable's name. */
  readonly shared: string;
  readonly doctor: DoctorTexts;
}

/** What the doctor says of one place. Sentences. */
export interface DoctorTexts {
  readonly allWell: string;
  readonly empty: string;
  /** Names the record at the start of a sentence. */
  readonly record: string;
  /** What to do about an error, beside what the error itself says; for the other codes it is the same everywhere. */
  readonly mends: Readonly<Partial<Record<StoreErrorCode, string>>>;
  /** What to do about a token that Presto refuses; undefined where a role that issues sees to it. */
  readonly deadToken: string | undefined;
}

/** What a place is opened with. Whoever reads the configuration sees to it that what it needs is there. */
export interface PlaceSecrets {
  readonly token: SecretSource | undefined;
  readonly keys: SecretSource | undefined;
  /** Only of the servers that are asked for, the lock's among them. */
  readonly servers?: Partial<Servers>;
  /** Where this process runs, for those who wait for its lock. */
  readonly pod?: PodName | undefined;
}

/** Which store, and what it is opened with. */
export type StoreOptions = Place & PlaceSecrets;

/** A text that is no address. Its message goes on from the variable's name, and shows nothing of the text. */
export class AddressError extends Error {
  override readonly name = "AddressError";
}

/** One kind of place. */
interface Kind {
  /** Its address, as messages show it. */
  readonly form: string;
  /** Undefined for a text that is not of this form at all. @throws AddressError for a wrong one */
  parse(text: string): Place | undefined;
  open(options: StoreOptions, deps: StoreDeps): Promise<TokenStore>;
  /** Or why credentials can't be there, as a message goes on from the variable's name. */
  readonly openCredentials:
    | ((options: StoredCredentialOptions, deps: StoreDeps) => Promise<WritableCredentialStore>)
    | string;
  /** Why this process could not write there, as far as that can be seen without writing. */
  findWriteFault(address: string): Promise<WriteFault | undefined>;
}

const env: Kind = {
  form: "env:",
  parse(text) {
    if (text !== "env:") {
      throw new AddressError(
        "is written env: with nothing behind it; the token itself stands in PRESTO_TOKEN or PRESTO_TOKEN_FILE",
      );
    }
    return {
      kind: "env",
      address: "",
      canWrite: false,
      takesToken: true,
      isRemote: false,
      lock: undefined,
      sealing: "never",
      objects: [],
      shared: "",
      doctor: {
        allWell: "The token can be read (env:, which is never written).",
        empty: "There is no token in PRESTO_TOKEN.",
        record: "The token in PRESTO_TOKEN",
        mends: {},
        deadToken: "Put the live token into PRESTO_TOKEN, or into the file of PRESTO_TOKEN_FILE.",
      },
    };
  },
  async open({ token }, { clock }) {
    if (token === undefined) throw new Error("env: is opened without a token");
    const { createEnvStore } = await import("./env.ts");
    return createEnvStore({ token, clock });
  },
  openCredentials:
    "can't be env:; credentials in the environment stand in PRESTO_EMAIL and PRESTO_PASSWORD (or their _FILE forms), without this",
  findWriteFault: async () => undefined,
};

const file: Kind = {
  form: "file:/path",
  parse(text) {
    if (!text.includes(":")) return undefined;
    const path = text.slice("file:".length);
    if (path.startsWith("//")) throw new AddressError("has too many slashes; write file:/path, with one");
    const fault = faultOfPath(path);
    if (fault !== undefined) throw new AddressError(fault);
    return {
      kind: "file",
      address: path,
      canWrite: true,
      takesToken: false,
      isRemote: false,
      lock: { kind: "own" },
      sealing: "always",
      objects: filesOf(posix.normalize(path)).map((taken) => `file:${taken}`),
      shared:
        "names the file of PRESTO_STORE, or one that stands beside it (its name and .lock, .write-lock or -holder); give it a file of its own",
      doctor: {
        allWell: `The record ${path} opens, and is this user's alone.`,
        empty: `There is no record in ${path} yet.`,
        record: `The record ${path}`,
        mends: {},
        deadToken: undefined,
      },
    };
  },
  ...overBackend(async ({ address: path }, holds, { clock }) => {
    const { createFileBackend } = await import("./file/file.ts");
    return createFileBackend({ path, holds, clock });
  }),
  findWriteFault: async (path) => (await import("./file/file.ts")).findFolderFault(path),
};

const kubernetes: Kind = {
  form: "kubernetes:namespace/secret[?key=name]",
  parse(text) {
    const parsed = parseSecretAddress(text);
    if (parsed === undefined) {
      throw new AddressError(
        "is not kubernetes:namespace/secret, each in lower case as Kubernetes has it, with ?key=name behind it at most",
      );
    }
    const { namespace, name, key } = parsed;
    const record = `The record in the Secret ${namespace}/${name}`;
    return {
      kind: "kubernetes",
      address: text.slice("kubernetes:".length),
      canWrite: true,
      takesToken: false,
      isRemote: true,
      server: "kubernetes",
      lock: { kind: "lease", namespace, name },
      sealing: "with-a-key",
      objects: [`kubernetes:${namespace}/${name}`],
      shared:
        "names the Secret of PRESTO_STORE, which every proxy may read whole, whatever the key; give it a Secret of its own",
      doctor: {
        allWell: `${record} can be read (key ${key}).`,
        empty: `There is no record in the Secret ${namespace}/${name} yet (key ${key}).`,
        record,
        mends: {
          damaged:
            "Put it back from a backup, or take the key out of the Secret and import or issue a token anew; the token in hand goes on serving meanwhile.",
        },
        deadToken: "Put a live token there: presto-sidecar token import",
      },
    };
  },
  ...overBackend(async ({ address, servers }, holds, { clock, emit = ignore }) => {
    const parsed = parseSecretAddress(`kubernetes:${address}`);
    const cluster = servers?.kubernetes;
    if (parsed === undefined || cluster === undefined) {
      throw new Error("kubernetes: is opened without an address or a cluster");
    }
    const { openSecretBackend } = await import("./kubernetes/secret.ts");
    return openSecretBackend({ ...parsed, holds, cluster }, { clock, emit });
  }),
  // The first write that lacks a right tells of it, with the line that grants it.
  findWriteFault: async () => undefined,
};

const vault: Kind = {
  form: "vault:MOUNT/PATH[?field=NAME]",
  parse(text) {
    if (!text.includes(":")) return undefined;
    const entry = parseVaultEntry(text.slice("vault:".length));
    if (typeof entry === "string") throw new AddressError(entry);
    const { path, field } = entry;
    return {
      kind: "vault",
      address: `${path}?field=${field}`,
      canWrite: true,
      takesToken: false,
      isRemote: true,
      server: "vault",
      lock: { kind: "store" },
      sealing: "with-a-key",
      objects: [`vault:${path}`],
      shared:
        "names the Vault entry of PRESTO_STORE, which whoever uses the token may read whole; give it an entry of its own",
      doctor: {
        allWell: `The record vault:${path} opens.`,
        empty: `There is no record in vault:${path} yet.`,
        record: `The record vault:${path}`,
        mends: {
          unreachable: "See that Vault runs, is unsealed, and can be reached from here: bao status",
          damaged: `See what stands there (bao kv get ${path}), and put an older version back (bao kv rollback) or import the token anew.`,
        },
        deadToken: "Put the live token there with: presto-sidecar token import",
      },
    };
  },
  ...overBackend(async ({ address, servers }, holds, { clock, emit = ignore }) => {
    const access = servers?.vault;
    const entry = parseVaultEntry(address);
    if (access === undefined || typeof entry === "string") {
      throw new Error("vault: is opened without an access or an address");
    }
    const [{ createVaultBackend }, { openVaultSession }] = await Promise.all([
      import("./vault/vault.ts"),
      import("./vault/session.ts"),
    ]);
    const session = await openVaultSession(access, { clock, random, emit });
    return createVaultBackend({ entry, holds, namespace: access.namespace }, { session, random });
  }),
  findWriteFault: async () => undefined,
};

/** What can be written in PRESTO_STORE and PRESTO_CREDENTIALS. A new store is an adapter, a row here, and its contract test. */
const kinds: Readonly<Record<string, Kind>> = { env, file, kubernetes, vault };

/** Kinds that later versions have: named, so that nobody looks for a spelling mistake. */
const laterKinds: readonly string[] = ["aws", "gcp", "azure"];

/** Both stores of a place that keeps bytes. */
function overBackend(
  open: (options: StoredCredentialOptions, holds: Holding, deps: StoreDeps) => Promise<WritableBackend>,
): Pick<Kind, "open" | "openCredentials"> {
  return {
    open: async (options, deps) =>
      createTokenStore(await open(options, "token", deps), { keys: options.keys, ...deps }),
    openCredentials: async (options, deps) =>
      createCredentialStore(await open(options, "credentials", deps), { keys: options.keys, ...deps }),
  };
}

/** The place that PRESTO_STORE names. @throws AddressError */
export function parsePlace(text: string): Place {
  const { kind, known } = kindOf(text);
  const forms = Object.values(kinds).map(({ form }) => form);
  if (laterKinds.includes(kind)) throw notYet(kind, inWords(forms));
  const place = known?.parse(text);
  if (place === undefined) throw new AddressError(`is none of ${inWords(forms)}`);
  return place;
}

/** The place that PRESTO_CREDENTIALS names. @throws AddressError */
export function parseCredentialPlace(text: string): Place {
  const { kind, known } = kindOf(text);
  const forms = Object.values(kinds).flatMap(({ form, openCredentials: open }) =>
    typeof open === "string" ? [] : [form],
  );
  if (laterKinds.includes(kind)) throw notYet(kind, `${inWords(forms)} for credentials`);
  if (typeof known?.openCredentials === "string") throw new AddressError(known.openCredentials);
  const place = known?.parse(text);
  if (place === undefined) throw new AddressError(`is none of ${inWords(forms)}`);
  return place;
}

function kindOf(text: string): { readonly kind: string; readonly known: Kind | undefined } {
  const [kind = ""] = text.split(":", 1);
  return { kind, known: Object.hasOwn(kinds, kind) ? kinds[kind] : undefined };
}

function notYet(kind: string, has: string): AddressError {
  return new AddressError(`is a ${kind}: store, which this version does not have yet; it has ${has}`);
}

function inWords(forms: readonly string[]): string {
  return new Intl.ListFormat("en-GB").format(forms);
}

/** True where the one would take something of the other. */
export function sharesAnObject(one: Place, other: Place): boolean {
  return one.objects.some((object) => other.objects.includes(object));
}

function rowOf({ kind }: Place): Kind {
  const { known } = kindOf(kind);
  if (known === undefined) throw new Error(`there is no store ${kind}:`);
  return known;
}

/**
 * Opens the token's store; reads and writes nothing yet. Only the adapter that is used is
 * loaded. Throws `CommandError` `configuration` where this system can't have that store.
 */
export async function openStore(options: StoreOptions, deps: StoreDeps): Promise<TokenStore> {
  return rowOf(options).open(options, deps);
}

/** Why this process could not write to a place, as far as that can be seen without writing; undefined where it could, or where nobody writes. */
export async function findWriteFault(place: Place): Promise<WriteFault | undefined> {
  return rowOf(place).findWriteFault(place.address);
}

/** Which credential source, and what it is opened with. */
export type CredentialOptions = GivenCredentials | StoredCredentialOptions;

/** By variables, or by the files that they name. */
export interface GivenCredentials {
  readonly kind: "env";
  readonly email: SecretSource;
  readonly password: SecretSource;
}

/** The form that can be written: in a place that `parseCredentialPlace` has let pass. */
export type StoredCredentialOptions = Place & Pick<PlaceSecrets, "keys" | "servers">;

/**
 * Opens the account's credentials; reads and writes nothing yet. Only the adapter that is used is
 * loaded. Throws `CommandError` `configuration` where this system can't have it.
 */
export async function openCredentials(
  options: StoredCredentialOptions,
  deps: StoreDeps,
): Promise<WritableCredentialStore>;
export async function openCredentials(options: CredentialOptions, deps: StoreDeps): Promise<CredentialStore>;
export async function openCredentials(options: CredentialOptions, deps: StoreDeps): Promise<CredentialStore> {
  if ("email" in options) {
    const { createEnvCredentials } = await import("./env.ts");
    return createEnvCredentials({ ...options, ...deps });
  }
  const { openCredentials: open } = rowOf(options);
  if (typeof open === "string") throw new Error(`${options.kind}: ${open}`);
  return open(options, deps);
}
