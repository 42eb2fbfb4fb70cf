import { isObject, type JsonObject } from "../../src/lib/json.ts";
import { type StoredBytes, StoreError } from "../../src/store/contract.ts";
import type { Api, ApiRequest } from "../../src/store/kubernetes/api.ts";
import type { SecretAddress } from "../../src/store/kubernetes/names.ts";
import { createSecretBackend } from "../../src/store/kubernetes/secret.ts";
import type { RemoteResponse } from "../../src/store/remote.ts";
import { type Ask, createAsk, type Place, type PlaceOptions } from "./sim-place.ts";
import type { SimProcess } from "./sim-process.ts";
import { createCache, type WatchCache } from "./sim-watch-cache.ts";

/** A Lease as it stands there, for whoever judges who holds the lock. */
export interface SeenLease {
  readonly holder: string | undefined;
  /** Simulated time of the last write. */
  readonly writtenAt: number;
}

/** An API server with etcd behind it: Secrets and Leases, by the semantics that the real one was seen to have. */
export interface SimApiServer extends Place {
  /** @param isStruck faults that are drawn for operations befall this one's */
  connect(process: SimProcess, isStruck: boolean): Api;
  lease(): SeenLease;
}

/** An object, as its last write left it. */
interface Kept {
  readonly uid: string;
  readonly revision: number;
  readonly object: JsonObject;
  readonly writtenAt: number;
  readonly body: Buffer;
}

export const secretAddress: SecretAddress = { namespace: "simulated", name: "token", key: "record" };
export const leaseAddress = { namespace: "simulated", name: "token" } as const;

const secrets = `/api/v1/namespaces/${secretAddress.namespace}/secrets`;
const secretPath = `${secrets}/${secretAddress.name}`;
const leases = `/apis/coordination.k8s.io/v1/namespaces/${leaseAddress.namespace}/leases`;
const leasePath = `${leases}/${leaseAddress.name}`;

export function createSimApiServer(options: PlaceOptions): SimApiServer {
  const { timeline, random, story } = options;
  const objects = new Map<string, Kept>();
  const ask = createAsk(options, apiServerLost);
  /** Taken out of the Secret once. */
  let read: { readonly of: Kept; readonly stored: StoredBytes } | undefined;
  let revision = 100;
  let uids = 0;
  const cache: WatchCache = createCache({
    ...options,
    isDown: ask.isDown,
    revision: () => revision,
    current: () => seen(),
  });

  function seen(): { readonly revision: number; readonly object: JsonObject } | undefined {
    return objects.get(secretPath);
  }

  function keep(path: string, given: JsonObject, uid: string, atRevision?: number): Kept {
    revision += 1;
    const at = atRevision ?? revision;
    const metadata = isObject(given["metadata"]) ? given["metadata"] : {};
    const object = { ...given, metadata: { ...metadata, uid, resourceVersion: String(at) } };
    const kept = {
      uid,
      revision: at,
      object,
      writtenAt: timeline.now(),
      body: Buffer.from(JSON.stringify(object)),
    };
    objects.set(path, kept);
    if (path === secretPath) cache.changed("MODIFIED", object);
    return kept;
  }

  function newUid(): string {
    uids += 1;
    return `${options.site}-${uids}`;
  }

  function serve(process: SimProcess, request: ApiRequest): RemoteResponse {
    const [path = ""] = request.path.split("?", 1);
    const kept = objects.get(path);
    if (request.method === "GET") {
      // Without a version the answer is a quorum's; with 0 it is whatever a cache has.
      const isCached = path === secretPath && /[?&]resourceVersion=/.test(request.path);
      const shown = isCached ? cache.lagging() : kept?.object;
      if (shown === undefined) return notFound(path);
      return kept !== undefined && shown === kept.object ? answer(200, kept.body) : answer(200, shown);
    }
    const given: JsonObject = JSON.parse(request.body ?? "{}");
    return request.method === "POST"
      ? create(process, `${path}/${nameOf(given)}`, given)
      : put(process, path, given, kept);
  }

  function create(process: SimProcess, path: string, given: JsonObject): RemoteResponse {
    if (objects.has(path)) return refusal(409, path, "AlreadyExists");
    const made = write(process, path, () => keep(path, given, newUid()));
    return answer(201, made.body);
  }

  function put(process: SimProcess, path: string, given: JsonObject, kept: Kept | undefined): RemoteResponse {
    const metadata = isObject(given["metadata"]) ? given["metadata"] : {};
    const { resourceVersion, uid } = metadata;
    const isLease = path.startsWith(leases);
    if (kept === undefined) {
      // A Lease may be made by PUT; a Secret may too, but nobody here does.
      if (!isLease || resourceVersion !== undefined) return notFound(path);
      return answer(201, write(process, path, () => keep(path, given, newUid())).body);
    }
    if (resourceVersion === undefined && isLease) return refusal(422, path, "Invalid");
    const isStale =
      (resourceVersion !== undefined && resourceVersion !== String(kept.revision)) ||
      (typeof uid === "string" && uid !== kept.uid);
    if (isStale) {
      story.tell(() => `a write of ${process.name} is refused: ${path} is at ${kept.revision} (409)`);
      return refusal(409, path, "Conflict");
    }
    return answer(200, write(process, path, () => keep(path, given, kept.uid)).body);
  }

  function write(process: SimProcess, path: string, apply: () => Kept): Kept {
    const before = path === secretPath ? current() : undefined;
    const made = apply();
    if (path === secretPath) options.onWrite(process, before, current());
    return made;
  }

  function current(): StoredBytes | undefined {
    const kept = objects.get(secretPath);
    const data = kept?.object["data"];
    const text = isObject(data) ? data[secretAddress.key] : undefined;
    if (kept === undefined || typeof text !== "string") return undefined;
    if (read?.of !== kept)
      read = {
        of: kept,
        stored: { bytes: Buffer.from(text, "base64"), version: `${kept.uid}/${kept.revision}` },
      };
    return read.stored;
  }

  function secretWith(bytes: Uint8Array | undefined): JsonObject {
    return {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: secretAddress.name, namespace: secretAddress.namespace },
      type: "Opaque",
      ...(bytes === undefined
        ? {}
        : { data: { [secretAddress.key]: Buffer.from(bytes).toString("base64") } }),
    };
  }

  /** Who may hold what by its identity, and when it was written last. */
  function lease(): SeenLease {
    const kept = objects.get(leasePath);
    const spec = kept?.object["spec"];
    const holder = isObject(spec) ? spec["holderIdentity"] : undefined;
    return {
      holder: typeof holder === "string" && holder !== "" ? holder : undefined,
      writtenAt: kept?.writtenAt ?? Number.NEGATIVE_INFINITY,
    };
  }

  // The chart makes it, empty; so nobody who may only update lacks it.
  if (random.chance(0.5)) keep(secretPath, secretWith(undefined), newUid());

  function connect(process: SimProcess, isStruck: boolean): Api {
    return {
      request: (request) =>
        ask.exchange({
          process,
          isStruck,
          kind: operationOf(request),
          isWrite: request.method !== "GET",
          serve: () => serve(process, request),
        }),
      stream: (path) => cache.open(process, path),
      close() {},
    };
  }

  return {
    current,
    open: (process, isStruck, emit) =>
      createSecretBackend(
        { ...secretAddress, holds: "token" },
        {
          api: connect(process, isStruck),
          clock: process.clock,
          random: () => options.random.next(),
          emit,
        },
      ),
    connect,
    lease,
    identity() {
      const kept = objects.get(secretPath);
      return kept && { uid: kept.uid, name: secretAddress.name };
    },
    put(bytes) {
      const kept = objects.get(secretPath);
      keep(secretPath, secretWith(bytes), kept?.uid ?? newUid());
    },
    putBack(bytes, wasVersion) {
      const kept = objects.get(secretPath);
      const [uid = "", was] = wasVersion.split("/");
      if (random.chance(0.3) && Number(was) < revision) {
        // etcd was restored: its versions are those of then, and will be given out again.
        story.tell(() => `etcd is restored to revision ${was}`);
        keep(secretPath, secretWith(bytes), uid, Number(was));
        revision = Number(was);
        cache.restart();
        return;
      }
      // By `kubectl apply`, or deleted and made anew by an operator.
      keep(secretPath, secretWith(bytes), random.chance(0.5) ? newUid() : (kept?.uid ?? newUid()));
    },
    wipe() {
      const kept = objects.get(secretPath);
      if (kept === undefined) return;
      if (random.chance(0.5)) {
        keep(secretPath, secretWith(undefined), kept.uid);
        return;
      }
      objects.delete(secretPath);
      revision += 1;
      cache.changed("DELETED", { ...kept.object });
    },
    fail(ms) {
      ask.fail(ms);
      // Whoever watched is cut off, and what a new one began from is forgotten.
      timeline.after(ms, () => cache.restart());
      cache.cut();
    },
    isDown: ask.isDown,
    silence: cache.silence,
    disturbWatches() {
      if (random.chance(0.5)) cache.cut();
      else cache.restart();
    },
    standsStill() {},
  };
}

/** What is asked there, as faults and stories name it. */
function operationOf({ method, path, body }: ApiRequest): Ask["kind"] {
  if (!path.startsWith(leases)) return method === "GET" ? "read" : "write";
  if (method === "GET") return "read the lock";
  const given: JsonObject = JSON.parse(body ?? "{}");
  const spec = isObject(given["spec"]) ? given["spec"] : {};
  const holder = spec["holderIdentity"];
  if (holder === undefined || holder === null || holder === "") return "release the lock";
  return spec["acquireTime"] === spec["renewTime"] ? "take the lock" : "renew the lock";
}

function nameOf({ metadata }: JsonObject): string {
  const name = isObject(metadata) ? metadata["name"] : undefined;
  return typeof name === "string" ? name : "";
}

function answer(status: number, body: Buffer | JsonObject): RemoteResponse {
  return { status, headers: {}, body: Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)) };
}

function refusal(code: number, path: string, reason: string): RemoteResponse {
  const parts = path.split("/");
  const details = { name: parts.at(-1), kind: parts.at(-2) };
  return answer(code, { kind: "Status", apiVersion: "v1", status: "Failure", reason, code, details });
}

function notFound(path: string): RemoteResponse {
  return refusal(404, path, "NotFound");
}

function apiServerLost(): Error {
  return new StoreError("unreachable", "The simulated API server did not answer.");
}
