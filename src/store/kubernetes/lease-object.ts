import type { Clock } from "../../clock.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";
import { StoreError } from "../contract.ts";
import type { LeaseAddress } from "../lock-address.ts";
import { jsonOf } from "../remote.ts";
import { leaseMs } from "../term.ts";
import type { Api } from "./api.ts";
import { altered, type Asked, createRefusals, isAbsent, notAnApiServer, requestOver } from "./refusal.ts";

export interface LeaseOptions extends LeaseAddress {
  /** This process, as `holderName` names it. */
  readonly holder: string;
}

export interface LeaseDeps {
  readonly api: Pick<Api, "request">;
  readonly clock: Clock;
}

/** A Lease as it was read. */
export interface FoundLease {
  readonly object: JsonObject;
  readonly spec: JsonObject;
  /** uid and resourceVersion: another wherever anything was written. */
  readonly version: string;
  /** "": given back. Undefined: no name can be read, and that is nobody's giving it back. */
  readonly holder: string | undefined;
  /** What stands there for how long whoever waits must wait; 0 where that is missing or absurd. */
  readonly durationMs: number;
}

/** What is written of one's own. */
export type LeaseFields = Readonly<Record<string, string | number>>;

/** Its requests, and what is written. */
export interface Lease {
  /** Which, and by whom, for people. */
  readonly identity: string;
  /** @throws StoreError */
  find(): Promise<FoundLease | undefined>;
  /** Writes over what was read, or makes it: `refused` where something else stands there by now. @throws StoreError; where that is `unreachable` it may have been written */
  put(before: FoundLease | undefined, spec: LeaseFields): Promise<FoundLease | "refused">;
  /** What became of a write that got no answer: only reading tells. @throws the error where it does not stand there */
  judge(error: unknown, spec: LeaseFields): Promise<FoundLease>;
  takenSpec(before: FoundLease | undefined): LeaseFields;
  renewedSpec(): LeaseFields;
  freedSpec(): LeaseFields;
}

export function createLease({ namespace, name, holder }: LeaseOptions, { api, clock }: LeaseDeps): Lease {
  const where = `The Lease ${namespace}/${name}`;
  const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`;
  let serial = 0;

  function asked(verb: Asked["verb"]): Asked {
    return { verb, resource: "leases", namespace, name, where };
  }

  /** Six digits, as Kubernetes has it; the last three tell apart what is written within a millisecond. */
  function microTime(): string {
    serial = (serial + 1) % 1_000;
    return `${new Date(clock.now()).toISOString().slice(0, -1)}${String(serial).padStart(3, "0")}Z`;
  }

  const refusals = createRefusals(clock);
  const ask = requestOver(api, refusals);

  async function find(): Promise<FoundLease | undefined> {
    const response = await ask({ method: "GET", path });
    const isGone = isAbsent(response, asked("get"));
    if (response.status !== 200 && !isGone) throw refusals.of(response, asked("get"));
    refusals.letThrough("get");
    return isGone ? undefined : readLease(jsonOf(response), where);
  }

  return {
    identity: `Lease ${namespace}/${name} of ${holder}`,
    find,
    async put(before, spec) {
      const object =
        before === undefined
          ? { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name, namespace }, spec }
          : { ...before.object, spec: { ...before.spec, ...spec } };
      const verb = before === undefined ? "create" : "update";
      const response = await ask({ method: "PUT", path, body: JSON.stringify(object) });
      if (response.status === 200 || response.status === 201) {
        refusals.letThrough(verb);
        const found = readLease(jsonOf(response), where);
        if (found.spec["holderIdentity"] !== spec["holderIdentity"]) throw altered(asked("update"));
        return found;
      }
      if (response.status === 409 || isAbsent(response, asked("update"))) return "refused";
      // One that was made meanwhile is not written over without its version: 422.
      if (before === undefined && response.status === 422 && (await find()) !== undefined) return "refused";
      throw refusals.of(response, asked(verb));
    },
    async judge(error, spec) {
      if (!(error instanceof StoreError) || error.code !== "unreachable") throw error;
      const found = await find();
      if (found !== undefined && isWritten(found, spec)) return found;
      throw error;
    },
    takenSpec(before) {
      const transitions = before?.spec["leaseTransitions"];
      const count = typeof transitions === "number" ? transitions : 0;
      const now = microTime();
      return {
        holderIdentity: holder,
        leaseDurationSeconds: leaseMs / 1_000,
        acquireTime: now,
        renewTime: now,
        leaseTransitions: before === undefined ? 0 : count + 1,
      };
    },
    renewedSpec: () => ({
      holderIdentity: holder,
      leaseDurationSeconds: leaseMs / 1_000,
      renewTime: microTime(),
    }),
    // As client-go does it: a holder without a name, for a second.
    freedSpec: () => ({ holderIdentity: "", leaseDurationSeconds: 1, renewTime: microTime() }),
  };
}

/** Was it this very write? Its time is of no other. */
export function isWritten({ spec }: FoundLease, wanted: LeaseFields): boolean {
  return spec["holderIdentity"] === wanted["holderIdentity"] && spec["renewTime"] === wanted["renewTime"];
}

function readLease(object: JsonObject | undefined, where: string): FoundLease {
  const metadata = object?.["metadata"];
  if (object === undefined || object["kind"] !== "Lease" || !isObject(metadata)) throw notAnApiServer(where);
  const { uid, resourceVersion } = metadata;
  if (typeof uid !== "string" || typeof resourceVersion !== "string" || resourceVersion === "") {
    throw notAnApiServer(where);
  }
  const spec = isObject(object["spec"]) ? object["spec"] : {};
  const { holderIdentity, leaseDurationSeconds: seconds } = spec;
  return {
    object,
    spec,
    version: `${uid}/${resourceVersion}`,
    holder: typeof holderIdentity === "string" ? holderIdentity : undefined,
    durationMs: typeof seconds === "number" && seconds > 0 ? seconds * 1_000 : 0,
  };
}
