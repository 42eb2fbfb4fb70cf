import { hostname } from "node:os";

import type { PodName } from "./contract.ts";
import { namePattern, namespacePattern } from "./kubernetes/names.ts";

// Who holds a lock that several hosts share. Kept as text in the lock itself, so anybody may have written it.

/** A process that holds a lock, as those who wait for it tell of it. */
export interface DescribedHolder {
  /** The subject of a sentence, for people. */
  readonly words: string;
  /** Undefined where it is in none, or is no process of ours. */
  readonly pod: PodName | undefined;
}

/**
 * `namespace/pod_UUID`, or `host_UUID` outside of a Pod. Compared as a whole: a process that was started anew
 * is another holder.
 * @param id UUID, new at every start of a process
 */
export function holderName(pod: PodName | undefined, id: string): string {
  return `${pod === undefined ? hostname() : `${pod.namespace}/${pod.name}`}_${id}`;
}

const uuid = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const inPod = new RegExp(`^(${namespacePattern})/(${namePattern})_${uuid}$`);
const onHost = new RegExp(`^([A-Za-z0-9][-A-Za-z0-9._]{0,252})_${uuid}$`);

/**
 * @param name as `holderName` makes it, or a text that ends with it; undefined where it is not known
 * @param own this process's
 */
export function describeHolder(name: string | undefined, own: string): DescribedHolder {
  const text = name ?? "";
  const foreign = /^[\x21-\x7e]{1,253}$/.test(text) ? `"${text}", which is no presto-sidecar,` : "Somebody";
  return findHolder(text, own) ?? { words: foreign, pod: undefined };
}

/** The same of a process of ours; undefined for a text that does not name one. */
export function findHolder(name: string, own: string): DescribedHolder | undefined {
  const text = name.split(" ").at(-1) ?? "";
  const [, namespace, pod] = inPod.exec(text) ?? [];
  if (namespace !== undefined && pod !== undefined) {
    const isHere = own.startsWith(`${namespace}/${pod}_`);
    return isHere
      ? { words: "Another process in this Pod", pod: undefined }
      : { words: `The Pod ${namespace}/${pod}`, pod: { namespace, name: pod } };
  }
  const [, host] = onHost.exec(text) ?? [];
  return host === undefined ? undefined : { words: `A process on ${host}`, pod: undefined };
}
