import type { Clock } from "../../clock.ts";
import { durationText } from "../../lib/duration.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";
import { StoreError } from "../contract.ts";
import { type Inspection, joinRemarks, type Remark, type Use } from "../inspection.ts";
import { jsonOf, type RemoteResponse } from "../remote.ts";
import type { VaultAccess, VaultEntry } from "./access.ts";
import type { VaultSession } from "./session.ts";
import { locateEntry } from "./vault.ts";

export interface EntryInspectionOptions {
  readonly entry: VaultEntry;
  readonly access: VaultAccess;
  readonly use: Use;
}

export interface EntryInspectionDeps {
  readonly session: Pick<VaultSession, "request">;
  readonly clock: Pick<Clock, "now">;
}

/**
 * Asks a Vault what it makes of this process's login and of an entry. What it may do is asked for by
 * sys/capabilities-self, and how long its token lives by auth/token/lookup-self; nothing is tried.
 * @throws StoreError where it can't be asked: away, sealed, no such engine, one of version 1
 */
export async function inspectEntry(
  { entry, access, use }: EntryInspectionOptions,
  { session, clock }: EntryInspectionDeps,
): Promise<Inspection> {
  const subject = `The entry vault:${entry.path} could not be looked at`;
  const get = (path: string) => permitted(session.request(subject, { method: "GET", path }));
  const located = await locateEntry(subject, entry.path, session).catch((error: unknown) => {
    if (error instanceof StoreError && error.code === "refused") return error;
    throw error;
  });
  // Whoever has no right below a mount is not told of it.
  const { data, metadata } =
    located instanceof StoreError ? { data: entry.path.replace("/", "/data/"), metadata: "" } : located;
  const sentAt = clock.now();
  const body = JSON.stringify({ paths: [data, ...(metadata === "" ? [] : [metadata])] });
  const asked = { method: "POST", path: "sys/capabilities-self", body } as const;
  const granted = await permitted(session.request(subject, asked));
  const receivedAt = clock.now();
  const capabilities = granted?.status === 200 ? capabilitiesIn(granted) : undefined;
  const mayRead = (path: string): boolean => holds(capabilities?.get(path) ?? [], "read");
  if (located instanceof StoreError && (capabilities === undefined || mayRead(data))) throw located;
  const isThere = !(located instanceof StoreError);
  const [looked, read, described] = await Promise.all([
    get("auth/token/lookup-self"),
    isThere && (capabilities === undefined || mayRead(data)) ? get(data) : undefined,
    // Seldom allowed, and not needed: each refusal would cost a login.
    mayRead(metadata) ? get(metadata) : undefined,
  ]);
  const date = (granted ?? looked)?.headers["date"];
  return {
    login: loginOf(looked, access, clock.now()),
    rights: rightsOf(capabilities?.get(data), data, use),
    object: objectOf(entry, data, read, described),
    dated: { date: typeof date === "string" ? date : undefined, sentAt, receivedAt },
  };
}

/** Undefined where a policy does not let this process ask. */
async function permitted(answer: Promise<RemoteResponse>): Promise<RemoteResponse | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof StoreError && error.code === "refused") return undefined;
    throw error;
  }
}

function capabilitiesIn(response: RemoteResponse): ReadonlyMap<string, readonly string[]> {
  const data = jsonOf(response)?.["data"];
  return new Map(
    Object.entries(isObject(data) ? data : {}).map(([path, granted]) => [
      path,
      Array.isArray(granted) ? granted.filter((each) => typeof each === "string") : [],
    ]),
  );
}

function holds(granted: readonly string[], capability: string): boolean {
  return granted.includes("root") || (granted.includes(capability) && !granted.includes("deny"));
}

function rightsOf(granted: readonly string[] | undefined, path: string, use: Use): Remark {
  if (granted === undefined) {
    return {
      result: "SKIP",
      detail: "Its policies do not let this process ask what they let it do (sys/capabilities-self).",
    };
  }
  const needed = use === "renew" ? ["read", "create", "update"] : ["read"];
  const lacking = needed.filter((capability) => !holds(granted, capability));
  if (lacking.length > 0) {
    const list = needed.map((capability) => `"${capability}"`).join(", ");
    return {
      result: "FAIL",
      detail: `This process lacks the ${inWords(lacking)} capability on ${path}.`,
      mend: `Have a policy of its role say so: echo 'path "${path}" { capabilities = [${list}] }' | bao policy write NAME -`,
    };
  }
  return { result: "OK", detail: `This process has ${inWords(needed)} on ${path}.` };
}

function loginOf(looked: RemoteResponse | undefined, { address, login }: VaultAccess, now: number): Remark {
  const how = login.method === "token" ? "a token that it was given" : `the login ${login.method}`;
  const by = `The Vault at ${address.url} knows this process by ${how}`;
  const data = looked && jsonOf(looked)?.["data"];
  if (!isObject(data)) {
    return { result: "SKIP", detail: `${by}; its policies do not let it look how long its token lives.` };
  }
  const remarks = login.method === "token" ? givenTokenRemarks(data, now) : loginRemarks(data);
  if (remarks.length > 0) return joinRemarks(remarks);
  const ttl = data["ttl"];
  if (typeof ttl !== "number" || ttl <= 0) return { result: "OK", detail: `${by}, whose token has no end.` };
  const then = data["renewable"] === true ? "is renewed by then" : "another login follows by then";
  return { result: "OK", detail: `${by}, whose token lives for ${durationText(ttl * 1000)} and ${then}.` };
}

/** Nobody here can make another token in its place. */
function givenTokenRemarks(data: JsonObject, now: number): Remark[] {
  const { ttl, renewable, num_uses: uses, policies } = data;
  const remarks: Remark[] = [];
  if (typeof ttl === "number" && ttl > 0 && renewable !== true) {
    remarks.push({
      result: "WARN",
      detail: `The Vault token ends at ${new Date(now + ttl * 1000).toISOString()} and can't be renewed.`,
      mend: "Give one with a period (bao token create -period=24h), or use PRESTO_VAULT_AUTH=approle or kubernetes.",
    });
  }
  if (typeof uses === "number" && uses > 0) {
    remarks.push({
      result: "WARN",
      detail: `The Vault token may be used ${uses} more times, and each look at the store is one.`,
      mend: "Give one without a limit: bao token create -use-limit=0",
    });
  }
  if (Array.isArray(policies) && policies.includes("root")) {
    remarks.push({
      result: "WARN",
      detail: "The Vault token is a root token, and may do everything.",
      mend: "Give one that has a policy for this entry alone: bao token create -policy=NAME",
    });
  }
  return remarks;
}

function loginRemarks({ num_uses: uses }: JsonObject): Remark[] {
  if (typeof uses !== "number" || uses <= 0) return [];
  return [
    {
      result: "WARN",
      detail: `Each login's token may be used ${uses} times only, so that this process logs in again and again.`,
      mend: "Set token_num_uses=0 on its role.",
    },
  ];
}

/** @param described its metadata, where a policy lets this process see them */
function objectOf(
  { path, field }: VaultEntry,
  data: string,
  read: RemoteResponse | undefined,
  described: RemoteResponse | undefined,
): Remark {
  if (read === undefined) return { result: "SKIP", detail: `The entry ${data} could not be read.` };
  const outer = jsonOf(read)?.["data"];
  const metadata = isObject(outer) && isObject(outer["metadata"]) ? outer["metadata"] : {};
  const { deletion_time: deletion, version } = metadata;
  if (read.status === 200 && typeof deletion === "string" && deletion !== "") {
    return {
      result: "WARN",
      detail: `Vault will delete this version of the entry at ${shownTime(deletion)}, and its token with it (delete_version_after).`,
      mend: `Have it keep its versions: bao kv metadata put -delete-version-after=0s ${path}`,
    };
  }
  const facts = described && jsonOf(described)?.["data"];
  const demands = isObject(facts) ? facts["cas_required"] : undefined;
  const others =
    demands === undefined
      ? ""
      : `; of others it ${demands === true ? "demands the same" : "does not (cas_required)"}`;
  const stands =
    read.status === 200 && typeof version === "number"
      ? `It is at version ${version}.`
      : "There is none yet.";
  return {
    result: "OK",
    detail: `The entry ${path} (field ${field}) is of a KV engine of version 2, where each write of ours names the version that it replaces${others}. ${stands}`,
  };
}

function shownTime(text: string): string {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? "a time that can't be read" : at.toISOString();
}

function inWords(capabilities: readonly string[]): string {
  return new Intl.ListFormat("en-GB").format(capabilities);
}
