import { randomUUID } from "node:crypto";

import { isObject, type JsonObject, parseObject } from "../../src/lib/json.ts";

/** What an API server answers. */
export interface LeaseAnswer {
  readonly status: number;
  readonly json: JsonObject;
}

/** Leases as an API server keeps them: as much as was seen of the real one. */
export interface StandInLeases {
  answer(method: string, name: string, body: string): LeaseAnswer;
  /** Its spec; undefined where there is none. */
  spec(name: string): JsonObject | undefined;
  /** Writes fields of its spec past everybody, or makes it. */
  put(name: string, spec: JsonObject): void;
  remove(name: string): void;
}

export function createStandInLeases(): StandInLeases {
  const leases = new Map<string, JsonObject>();
  let version = 500;

  function store(name: string, metadata: JsonObject, spec: unknown): JsonObject {
    version += 1;
    const object = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { ...metadata, name, namespace: "presto", resourceVersion: `${version}` },
      spec,
    };
    leases.set(name, object);
    return object;
  }

  const metadataOf = (object: JsonObject | undefined): JsonObject =>
    isObject(object?.["metadata"]) ? object["metadata"] : {};

  function put(name: string, body: string): LeaseAnswer {
    const wanted = parseObject(body) ?? {};
    const there = leases.get(name);
    const { resourceVersion: expected, uid } = metadataOf(wanted);
    if (there === undefined) {
      // One that was deleted is not made anew by whoever writes over it: the uid is a precondition.
      if (uid !== undefined) return refusal(409, "Conflict");
      return { status: 201, json: store(name, { uid: randomUUID() }, wanted["spec"]) };
    }
    // A Lease is never written over without its version.
    if (expected === undefined) return refusal(422, "Invalid");
    if (expected !== metadataOf(there)["resourceVersion"]) return refusal(409, "Conflict");
    return { status: 200, json: store(name, { ...metadataOf(wanted) }, wanted["spec"]) };
  }

  return {
    answer(method, name, body) {
      if (method === "PUT") return put(name, body);
      const there = leases.get(name);
      if (method === "GET" && there !== undefined) return { status: 200, json: there };
      return refusal(404, "NotFound", { kind: "leases", group: "coordination.k8s.io", name });
    },
    spec(name) {
      const spec = leases.get(name)?.["spec"];
      return isObject(spec) ? spec : undefined;
    },
    put(name, spec) {
      const there = leases.get(name);
      const before = there?.["spec"];
      store(name, there === undefined ? { uid: randomUUID() } : metadataOf(there), {
        ...(isObject(before) ? before : {}),
        ...spec,
      });
    },
    remove: (name) => void leases.delete(name),
  };
}

function refusal(status: number, reason: string, details: object = {}): LeaseAnswer {
  return {
    status,
    json: { kind: "Status", status: "Failure", reason, code: status, details, message: reason },
  };
}
