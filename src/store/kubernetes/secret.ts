import type { Clock } from "../../clock.ts";
import { random } from "../../lib/async.ts";
import type { Emit, Warning } from "../../lib/events.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";
import {
  type Backend,
  type Holding,
  maxObjectBytes,
  StoreError,
  type StoredBytes,
  type WriteResult,
} from "../contract.ts";
import { jsonOf } from "../remote.ts";
import { type Api, createApi } from "./api.ts";
import { type ClusterOptions, openCluster } from "./cluster.ts";
import type { SecretAddress } from "./names.ts";
import { ignoredBy, neighboursOf, writerOf } from "./neighbours.ts";
import {
  altered,
  type Asked,
  createRefusals,
  immutable,
  isAbsent,
  notAnApiServer,
  requestOver,
  resting,
  restOf,
} from "./refusal.ts";
import { createSecretWatch, type SecretWatch } from "./watch.ts";

export interface SecretBackendOptions extends SecretAddress {
  readonly holds: Holding;
}

export interface SecretBackendDeps {
  /** Ended with the backend. */
  readonly api: Api;
  readonly clock: Clock;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
  readonly emit: Emit<Warning>;
}

/** What it can do. The lock of its renewals is a Lease (lease.ts). */
type SecretBackend = Backend &
  Required<Pick<Backend, "write" | "watch" | "pollMs" | "isWatching" | "absence">>;

const nouns: Readonly<Record<Holding, string>> = { token: "record", credentials: "credentials" };

/** A Secret as it was read. */
interface Found {
  readonly object: JsonObject;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Under our key; undefined where it has none, which is no record. */
  readonly bytes: Buffer | undefined;
}

/**
 * Over the API server that is configured.
 * @throws CommandError `configuration` where it is not said how it is reached
 */
export async function openSecretBackend(
  { cluster, ...options }: SecretBackendOptions & { readonly cluster: ClusterOptions },
  { clock, emit }: Pick<SecretBackendDeps, "clock" | "emit">,
): Promise<SecretBackend> {
  const api = createApi(await openCluster(cluster, clock), clock);
  return createSecretBackend(options, { api, clock, random, emit });
}

/**
 * One key of a Secret. Its version is the Secret's uid and resourceVersion: the first tells one that
 * was deleted and made anew, or put back from a backup, from the one before. Every write says which
 * resourceVersion it takes the place of; without, the API server would overwrite whatever is there.
 * All else in the Secret stays as it is.
 */
export function createSecretBackend(
  { namespace, name, key, holds }: SecretBackendOptions,
  { api, clock, random, emit }: SecretBackendDeps,
): SecretBackend {
  const where = `The ${nouns[holds]} in the Secret ${namespace}/${name}`;
  const all = `/api/v1/namespaces/${namespace}/secrets`;
  const path = `${all}/${name}`;
  const refusals = createRefusals(clock);
  const ask = requestOver(api, refusals);

  function asked(verb: Asked["verb"]): Asked {
    return { verb, resource: "secrets", namespace, name, where };
  }

  /** A quorum read: without a resourceVersion the API server asks etcd, and none of its caches. */
  async function find(): Promise<Found | undefined> {
    const restMs = watch.restMs();
    if (restMs > 0) throw resting(asked("get"), restMs);
    const response = await ask({ method: "GET", path });
    if (response.status === 200) {
      refusals.letThrough("get");
      const found = readSecret(jsonOf(response), key, where);
      warnOfNeighbours(found.object);
      absence = found.bytes === undefined ? lacksKey(found.object) : undefined;
      return found;
    }
    if (isAbsent(response, asked("get"))) {
      refusals.letThrough("get");
      absence = `There is no Secret ${namespace}/${name}. Make it, empty: kubectl create secret generic ${name} -n ${namespace}`;
      return undefined;
    }
    watch.noteRest(restOf(response));
    throw refusals.of(response, asked("get"));
  }

  let absence: string | undefined;
  /** An empty one is as it should be; one with other keys may be another, or fed by hand. */
  function lacksKey({ data }: JsonObject): string | undefined {
    const keys = isObject(data) ? Object.keys(data) : [];
    return keys.length === 0
      ? undefined
      : `The Secret ${namespace}/${name} has no key ${key}; it has ${new Intl.ListFormat("en-GB").format(keys)}.`;
  }

  const warned = new Set<string>();
  function warnOfNeighbours(object: JsonObject): void {
    for (const { detail, mend } of neighboursOf(object, { namespace, name })) {
      if (warned.has(detail)) continue;
      warned.add(detail);
      emit({ type: "warning", message: `${detail} ${mend}` });
    }
  }

  async function put(found: Found, bytes: Uint8Array): Promise<WriteResult> {
    if (found.object["immutable"] === true) throw immutable(asked("update"));
    const { data } = found.object;
    const object = { ...found.object, data: { ...(isObject(data) ? data : {}), [key]: base64(bytes) } };
    const response = await ask({ method: "PUT", path, body: JSON.stringify(object) });
    if (response.status === 200) return written(jsonOf(response), bytes, "update");
    // Written by somebody else, or deleted, since it was read here.
    if (response.status === 409 || isAbsent(response, asked("update"))) return { outcome: "refused" };
    watch.noteRest(restOf(response));
    throw refusals.of(response, asked("update"));
  }

  async function create(bytes: Uint8Array): Promise<WriteResult> {
    const object = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name, namespace, ...ignoredBy },
      type: "Opaque",
      data: { [key]: base64(bytes) },
    };
    const response = await ask({ method: "POST", path: all, body: JSON.stringify(object) });
    if (response.status === 201) return written(jsonOf(response), bytes, "create");
    if (response.status === 409) return { outcome: "refused" };
    watch.noteRest(restOf(response));
    throw refusals.of(response, asked("create"));
  }

  function written(
    object: JsonObject | undefined,
    bytes: Uint8Array,
    verb: "update" | "create",
  ): WriteResult {
    refusals.letThrough(verb);
    const found = readSecret(object, key, where);
    if (found.bytes === undefined || !found.bytes.equals(bytes)) throw altered(asked(verb));
    return { outcome: "written", version: versionOf(found) };
  }

  const watch: SecretWatch = createSecretWatch({
    path: `${all}?watch=1&allowWatchBookmarks=true&fieldSelector=${encodeURIComponent(`metadata.name=${name}`)}`,
    async open(path) {
      const stream = await api.stream(path);
      if (stream.status === 200) refusals.letThrough("watch");
      return stream;
    },
    look: async () => (await find())?.resourceVersion,
    refusalOf(response) {
      watch.noteRest(restOf(response));
      return refusals.of(response, asked("watch"));
    },
    clock,
    random,
    emit,
  });

  return {
    kind: "kubernetes",
    where,
    async read(): Promise<StoredBytes | undefined> {
      const found = await find();
      watch.noteRead(found?.resourceVersion);
      if (found?.bytes === undefined) return undefined;
      return {
        bytes: found.bytes,
        version: versionOf(found),
        identity: { uid: found.uid, name },
        lastWriter() {
          const writer = writerOf(found.object, key);
          return writer && `${JSON.stringify(writer.manager.slice(0, 128))} at ${writer.time.slice(0, 32)}`;
        },
      };
    },
    async write(bytes, expected) {
      const found = await find();
      if ((found?.bytes && versionOf(found)) !== expected) return { outcome: "refused" };
      return found === undefined ? create(bytes) : put(found, bytes);
    },
    watch: watch.watch,
    pollMs: watch.pollMs,
    isWatching: watch.isLive,
    absence: () => absence,
    close() {
      watch.close();
      api.close();
    },
  };
}

function readSecret(object: JsonObject | undefined, key: string, where: string): Found {
  const metadata = object?.["metadata"];
  if (object === undefined || object["kind"] !== "Secret" || !isObject(metadata)) throw notAnApiServer(where);
  const { uid, resourceVersion } = metadata;
  if (typeof uid !== "string" || typeof resourceVersion !== "string" || resourceVersion === "") {
    throw notAnApiServer(where);
  }
  const { data } = object;
  const text = isObject(data) && Object.hasOwn(data, key) ? data[key] : undefined;
  const bytes = typeof text === "string" ? Buffer.from(text, "base64") : undefined;
  if (bytes !== undefined && bytes.length > maxObjectBytes) {
    throw new StoreError(
      "damaged",
      `${where} is larger than ${maxObjectBytes} bytes, so it is not one. It was left as it is. Name another Secret or key.`,
    );
  }
  return { object, uid, resourceVersion, bytes };
}

function versionOf({ uid, resourceVersion }: Found): string {
  return `${uid}/${resourceVersion}`;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
