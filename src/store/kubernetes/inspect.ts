import type { Clock } from "../../clock.ts";
import type { JsonObject } from "../../lib/json.ts";
import { describeHolder, findHolder } from "../holder.ts";
import { type DatedAnswer, type Inspection, joinRemarks, type Remark, type Use } from "../inspection.ts";
import type { LeaseAddress } from "../lock-address.ts";
import { jsonOf } from "../remote.ts";
import { type Api, createApi } from "./api.ts";
import { type ClusterOptions, openCluster } from "./cluster.ts";
import { createLease, type LeaseDeps } from "./lease-object.ts";
import type { SecretAddress } from "./names.ts";
import { neighboursOf, shown, writerOf } from "./neighbours.ts";
import { refusalOf } from "./refusal.ts";
import { mayDo, nameOf, reviewRights, type Subject, userOf } from "./rights.ts";

export interface SecretInspectionOptions extends SecretAddress {
  readonly cluster: ClusterOptions;
  readonly use: Use;
}

/**
 * Asks an API server what it makes of this process and of a Secret. Rights are asked for by
 * SelfSubjectAccessReviews, which everybody may make who is somebody; nothing is tried.
 * @throws StoreError where the API server can't be asked, or lets nobody in; CommandError `configuration` as `openCluster`
 */
export async function inspectSecret(
  options: SecretInspectionOptions,
  { clock }: { readonly clock: Clock },
): Promise<Inspection> {
  const cluster = await openCluster(options.cluster, clock);
  const api = createApi(cluster, clock);
  try {
    const { user, dated } = await identify(api, options, clock);
    const me = { inPod: cluster.inPod, user };
    const [rights, object] = await Promise.all([reviewAll(api, options, me), lookAt(api, options, me)]);
    return { login: loginOf(user, cluster.url), rights, object, dated };
  } finally {
    api.close();
  }
}

/** Who this process is to the API server. */
interface Caller {
  readonly user: string | undefined;
  readonly inPod: boolean;
}

async function identify(
  api: Api,
  { namespace, name }: Pick<SecretAddress, "namespace" | "name">,
  clock: Clock,
): Promise<{ readonly user: string | undefined; readonly dated: DatedAnswer }> {
  const sentAt = clock.now();
  const response = await api.request({
    method: "POST",
    path: "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    body: JSON.stringify({ apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" }),
  });
  const receivedAt = clock.now();
  if (response.status === 401) {
    const where = `The Secret ${namespace}/${name}`;
    throw refusalOf(response, { verb: "get", resource: "secrets", namespace, name, where });
  }
  const { date } = response.headers;
  const dated = { date: typeof date === "string" ? date : undefined, sentAt, receivedAt };
  return { user: response.status === 201 ? userOf(response) : undefined, dated };
}

function loginOf(user: string | undefined, url: string): Remark {
  return user === undefined
    ? { result: "SKIP", detail: `The API server ${url} does not say whom it takes this process for.` }
    : { result: "OK", detail: `The API server ${url} takes this process for ${user}.` };
}

/** A process has to have these, and nothing more. */
const needed: Readonly<Record<Use, readonly string[]>> = {
  follow: ["get", "watch"],
  renew: ["get", "watch", "update"],
};

async function reviewAll(api: Api, options: SecretInspectionOptions, caller: Caller): Promise<Remark> {
  const { namespace, name, use } = options;
  const remarks = await Promise.all([
    reviewRights(api, needed[use], { resource: "secrets", namespace, name }, caller.user),
    ...excessOf(options, caller).map((excess) => reviewExcess(api, excess, caller)),
  ]);
  return joinRemarks(remarks.filter((remark) => remark !== undefined));
}

/** A right that nobody needs here, and why it is better not there. */
interface Excess {
  readonly verb: string;
  readonly about: Subject;
  readonly why: string;
}

/** Only of a Pod's service account: a person at a laptop may do more than a sidecar. */
function excessOf({ namespace, name, use }: SecretInspectionOptions, { inPod }: Caller): readonly Excess[] {
  if (!inPod) return [];
  const all: Excess = {
    verb: "list",
    about: { resource: "secrets", namespace, name: undefined },
    why: "and with it read each of them, the account's too",
  };
  const update: Excess = {
    verb: "update",
    about: { resource: "secrets", namespace, name },
    why: "which the role proxy never does",
  };
  return use === "follow" ? [all, update] : [all];
}

async function reviewExcess(
  api: Api,
  { verb, about, why }: Excess,
  { user = "This process" }: Caller,
): Promise<Remark | undefined> {
  if ((await mayDo(api, verb, about)) !== true) return undefined;
  return {
    result: "WARN",
    detail: `${user} may ${verb} ${nameOf(about)}, ${why}.`,
    mend: `Take that right away; who gives it: kubectl get rolebindings,clusterrolebindings -A -o wide | grep ${accountOf(user)}`,
  };
}

function accountOf(user: string): string {
  return user.split(":").at(-1) ?? user;
}

/** Reads the Secret as it is, for what others do with it. */
async function lookAt(api: Api, options: SecretInspectionOptions, { user }: Caller): Promise<Remark> {
  const { namespace, name, key, use } = options;
  const about = { resource: "secrets", namespace, name } as const;
  const response = await api.request({
    method: "GET",
    path: `/api/v1/namespaces/${namespace}/secrets/${name}`,
  });
  const object = response.status === 200 ? jsonOf(response) : undefined;
  if (object !== undefined) return joinRemarks(remarksOn(object, options));
  if (response.status !== 404)
    return { result: "SKIP", detail: `The Secret ${namespace}/${name} could not be read; see store.` };
  const space = await api.request({ method: "GET", path: `/api/v1/namespaces/${namespace}` });
  if (space.status === 404) {
    const mend = `Make it, or mend the address: kubectl create namespace ${namespace}`;
    return { result: "FAIL", detail: `There is no namespace ${namespace}.`, mend };
  }
  const detail = `There is no Secret ${namespace}/${name}`;
  const mend = `Make it, empty: kubectl create secret generic ${name} -n ${namespace}`;
  if (use === "follow") return { result: "WARN", detail: `${detail}, so no record in its key ${key}.`, mend };
  const mayCreate = await mayDo(api, "create", { ...about, name: undefined });
  return mayCreate === true
    ? { result: "OK", detail: `${detail} yet; the first write makes it.` }
    : { result: "FAIL", detail: `${detail}, and ${user ?? "this process"} may not create one.`, mend };
}

function remarksOn(object: JsonObject, options: SecretInspectionOptions): Remark[] {
  const { namespace, name, key, use } = options;
  const secret = `The Secret ${namespace}/${name}`;
  const found: Remark[] = [];
  if (object["immutable"] === true) {
    found.push({
      result: use === "renew" ? "FAIL" : "WARN",
      detail: `${secret} is marked immutable, and nobody can write it.`,
      mend: `Make it anew without that: kubectl get secret ${name} -n ${namespace} -o yaml`,
    });
  }
  for (const remark of neighboursOf(object, options)) found.push({ result: "WARN", ...remark });
  const writer = shown(writerOf(object, key)?.manager);
  if (writer !== undefined && !ownManagers.has(writer)) {
    found.push({
      result: "WARN",
      detail: `Its key ${key} was written last by ${writer}, and not by this program.`,
      mend: `See who that is, and that it was meant: kubectl get secret ${name} -n ${namespace} -o yaml --show-managed-fields`,
    });
  }
  if (found.length > 0) return found;
  return [
    {
      result: "OK",
      detail: `${secret} is there, and nothing is known of it that would disturb (key ${key}).`,
    },
  ];
}

/** This program, by its User-Agent; and whoever made the Secret with nothing in it has not written the key. */
const ownManagers: ReadonlySet<string> = new Set(["presto-sidecar"]);

/**
 * Asks an API server whether this process may take a Lease, and who holds it. Nothing is written.
 * @throws as `inspectSecret`
 */
export async function inspectLease(
  lease: LeaseAddress,
  cluster: ClusterOptions,
  { clock }: { readonly clock: Clock },
): Promise<Remark> {
  const api = createApi(await openCluster(cluster, clock), clock);
  try {
    const { user } = await identify(api, lease, clock);
    const about = { resource: "leases", ...lease } as const;
    // Made by PUT, so that the right to create can be tied to the name.
    const rights = await reviewRights(api, ["get", "update", "create"], about, user);
    return rights.result === "FAIL" ? rights : joinRemarks([rights, await holderOf(lease, { api, clock })]);
  } finally {
    api.close();
  }
}

async function holderOf(lease: LeaseAddress, deps: LeaseDeps): Promise<Remark> {
  const found = await createLease({ ...lease, holder: "" }, deps).find();
  const which = `the lock, the Lease ${lease.namespace}/${lease.name}`;
  if (found === undefined)
    return { result: "OK", detail: `Nobody has taken ${which}, yet; the first renewal makes it.` };
  if (found.holder === "") return { result: "OK", detail: `Nobody holds ${which}.` };
  const ours = found.holder === undefined ? undefined : findHolder(found.holder, "");
  const detail = `${(ours ?? describeHolder(found.holder, "")).words} holds ${which}.`;
  const look = `kubectl get lease ${lease.name} -n ${lease.namespace} -o yaml`;
  return ours !== undefined
    ? { result: "OK", detail }
    : {
        result: "WARN",
        detail,
        mend: `If that is another program's, name another Lease in PRESTO_LOCK; see it: ${look}`,
      };
}
