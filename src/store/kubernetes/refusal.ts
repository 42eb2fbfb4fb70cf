import type { Clock } from "../../clock.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";
import { StoreError } from "../contract.ts";
import { jsonOf, type RemoteResponse } from "../remote.ts";
import type { Api } from "./api.ts";
import { grantLine, words } from "./rights.ts";

type Verb = "get" | "watch" | "update" | "create";

/** What was asked of the API server. */
export interface Asked {
  /** In the words of RBAC. */
  readonly verb: Verb;
  readonly resource: "secrets" | "leases";
  readonly namespace: string;
  readonly name: string;
  /** Names the object at the start of a message. */
  readonly where: string;
}

/** A name that came from the API server and may be shown: nothing else of an answer is, for it can quote what was sent. */
const shown = "([A-Za-z0-9][A-Za-z0-9._:@/-]{0,252})";
const rbac = new RegExp(`User "${shown}" cannot (?:(get|watch|update|create) )?`);
const webhook = new RegExp(`admission webhook "${shown}" denied`);
const failingWebhook = new RegExp(`failed calling webhook "${shown}"`);
const policy = new RegExp(`Policy '${shown}'`);
const quota = new RegExp(`exceeded quota: ${shown}`);

type Refused = Pick<RemoteResponse, "status" | "body">;

/** What is refused for less than this, milliseconds, may pass by itself: an API server that has just started, rights that spread. */
const passingMs = 60_000;

/** Why the API server does not do what this process asks, time and again. */
export interface Refusals {
  /** As `refusalOf`; once it has lasted for a minute, it is no longer said that it may pass. */
  of(response: Refused, asked: Asked): StoreError;
  /** That verb was let through. */
  letThrough(verb: Verb): void;
  /** The API server is away: when it is back, it has just started. */
  startAnew(): void;
}

export function createRefusals(clock: Pick<Clock, "monotonic">): Refusals {
  const since = new Map<Verb, number>();
  return {
    of(response, asked) {
      const now = clock.monotonic();
      const begun = since.get(asked.verb) ?? now;
      since.set(asked.verb, begun);
      return refusalOf(response, asked, now - begun < passingMs);
    },
    letThrough: (verb) => void since.delete(verb),
    startAnew: () => since.clear(),
  };
}

/** Requests whose failure starts the refusals anew. */
export function requestOver(
  api: Pick<Api, "request">,
  refusals: Pick<Refusals, "startAnew">,
): Api["request"] {
  return async (request) => {
    try {
      return await api.request(request);
    } catch (error) {
      refusals.startAnew();
      throw error;
    }
  };
}

/**
 * Why the API server did not do what was asked, by its cause, and what to do.
 * @param mayPass is it not known to have lasted?
 */
export function refusalOf(response: Refused, asked: Asked, mayPass = true): StoreError {
  const status = statusOf(response);
  // Its filters refuse in plain text, before anything makes a Status: too many requests, and a server that ends.
  if (response.status === 429) return busy(asked);
  if (status === undefined) {
    return unreachable(
      asked,
      `something that is no Kubernetes API server answered (status ${response.status})`,
      "See that the address leads straight to the API server, and to no proxy or login page",
    );
  }
  const message = typeof status["message"] === "string" ? status["message"] : "";
  switch (response.status) {
    case 401:
      return refused(
        asked,
        "the API server does not accept the credentials of this process (401)",
        "They have expired, or their service account or user is gone; log in again, or start the Pod anew",
        mayPass,
      );
    case 403:
      return forbidden(asked, message, status, mayPass);
    case 404:
      return isAbout(status, "namespaces", asked.namespace)
        ? refused(
            asked,
            `there is no namespace ${asked.namespace}`,
            `Make it, or mend the address: kubectl create namespace ${asked.namespace}`,
          )
        : refused(
            asked,
            "the API server knows no such path",
            "See that the server in KUBECONFIG is its address",
          );
    case 422:
      return invalid(asked, message);
    default:
      return response.status >= 500
        ? failing(asked, message, response.status, mayPass)
        : refused(asked, `the API server answered ${response.status}`, lookAt(asked));
  }
}

function busy(asked: Asked): StoreError {
  return unreachable(asked, "the API server has too much to do (429)", "It is asked again by itself");
}

/** The API server has asked for a rest, and has it: nothing was asked of it. */
export function resting(asked: Asked, restMs: number): StoreError {
  const seconds = Math.ceil(restMs / 1_000);
  return unreachable(
    asked,
    `the API server asked to be left alone for another ${seconds} s`,
    "It is asked again by itself",
  );
}

/** The Status object that nearly every refusal of an API server is. */
export function statusOf(response: Pick<RemoteResponse, "body">): JsonObject | undefined {
  const json = jsonOf(response);
  return json?.["kind"] === "Status" ? json : undefined;
}

/** Is it this object, and nothing else, that is not there? */
export function isAbsent(
  response: Pick<RemoteResponse, "status" | "body">,
  { resource, name }: Asked,
): boolean {
  const status = response.status === 404 ? statusOf(response) : undefined;
  return status !== undefined && isAbout(status, resource, name);
}

function isAbout({ details }: JsonObject, kind: string, name: string): boolean {
  return isObject(details) && details["kind"] === kind && details["name"] === name;
}

/** Longest rest that is given, seconds. */
const longestRest = 60;

/** Seconds for which the API server asks to be left alone, in its Status or by the field (RFC 9110 section 10.2.3); 0 where it does not. */
export function restOf(response: RemoteResponse): number {
  if (response.status < 429) return 0;
  const details = statusOf(response)?.["details"];
  const inStatus = isObject(details) ? details["retryAfterSeconds"] : undefined;
  const field = response.headers["retry-after"];
  const inField = typeof field === "string" && /^\d{1,6}$/.test(field) ? Number(field) : 0;
  const seconds = typeof inStatus === "number" && inStatus > 0 ? inStatus : inField;
  return Math.min(seconds, longestRest);
}

function forbidden(asked: Asked, message: string, status: JsonObject, mayPass: boolean): StoreError {
  if (message.includes('"system:anonymous"')) {
    return refused(
      asked,
      "the API server took this process for nobody (system:anonymous)",
      "Its credentials did not arrive: see that nothing between the two takes the Authorization field away",
    );
  }
  if (hasCause(status, "NamespaceTerminating") || message.includes("is being terminated")) {
    return refused(
      asked,
      `the namespace ${asked.namespace} is being deleted`,
      "Wait until it is gone, and make it anew, or name another",
    );
  }
  const [, overQuota] = quota.exec(message) ?? [];
  if (overQuota !== undefined) {
    return refused(
      asked,
      `the quota ${overQuota} of the namespace ${asked.namespace} is used up`,
      `Make room, or raise it: kubectl describe resourcequota ${overQuota} -n ${asked.namespace}`,
    );
  }
  const [, user, said] = rbac.exec(message) ?? [];
  if (user !== undefined) {
    // One that is made by PUT takes two rights, and which of them is missing only the API server knows.
    const verb = verbNames.find((each) => each === said) ?? asked.verb;
    return refused(
      asked,
      `${user} lacks the right to ${verb} it`,
      makeOrGrant({ ...asked, verb }, user),
      mayPass,
    );
  }
  return (
    byAdmission(asked, message) ?? refused(asked, "the API server forbids it (403)", lookAt(asked), mayPass)
  );
}

const verbNames: readonly Verb[] = ["get", "watch", "update", "create"];

/** Whoever may not create a Secret needs no such right where it is there. */
function makeOrGrant({ verb, resource, namespace, name }: Asked, user: string): string {
  const grant = grantLine([verb], { resource, namespace, name }, user);
  return verb === "create" && resource === "secrets"
    ? `Make the Secret, empty: kubectl create secret generic ${name} -n ${namespace}; or grant the right to make it: ${grant}`
    : `Grant it: ${grant}`;
}

function invalid(asked: Asked, message: string): StoreError {
  if (asked.resource === "secrets" && message.includes("immutable")) return immutable(asked);
  return (
    byAdmission(asked, message) ??
    refused(asked, "the API server does not take what is written (422)", lookAt(asked))
  );
}

/** A Secret that nobody can change. */
export function immutable(asked: Asked): StoreError {
  return refused(
    asked,
    "it is marked immutable, and can't be written",
    `Make it anew without that, from what it holds: kubectl get secret ${asked.name} -n ${asked.namespace} -o yaml`,
  );
}

/** What was written is not what stands there. */
export function altered(asked: Asked): StoreError {
  return refused(
    asked,
    "something in the cluster altered what was written to it",
    `Take this ${words[asked.resource].noun} out of the webhook or policy that does it: kubectl get mutatingwebhookconfigurations,mutatingadmissionpolicies`,
  );
}

function byAdmission(asked: Asked, message: string): StoreError | undefined {
  const [, hook] = webhook.exec(message) ?? [];
  if (hook !== undefined) {
    return refused(
      asked,
      `the admission webhook ${hook} denies it`,
      `Have it let this ${words[asked.resource].noun} pass: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations`,
    );
  }
  const [, by] = policy.exec(message) ?? [];
  if (by === undefined) return undefined;
  return refused(
    asked,
    `the admission policy ${by} denies it`,
    `Have it let this ${words[asked.resource].noun} pass: kubectl get validatingadmissionpolicy ${by} -o yaml`,
  );
}

function failing(asked: Asked, message: string, status: number, mayPass: boolean): StoreError {
  const [, hook] = failingWebhook.exec(message) ?? [];
  if (hook !== undefined) {
    return unreachable(
      asked,
      `the admission webhook ${hook} does not answer`,
      `See that it runs, or take this ${words[asked.resource].noun} out of it: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations`,
    );
  }
  // As 1.37 has it: "StorageError: corrupt object, ...: data from the storage is not transformable".
  if (/transform|decrypt|corrupt object/.test(message)) {
    return unreachable(
      asked,
      "the API server can't decrypt it",
      "See to its encryption at rest: a key is missing in its EncryptionConfiguration, or its KMS does not answer",
    );
  }
  return unreachable(
    asked,
    `the API server failed (${status})`,
    "See to it and its etcd: kubectl get --raw '/readyz?verbose'",
    mayPass,
  );
}

function hasCause({ details }: JsonObject, reason: string): boolean {
  if (!isObject(details) || !Array.isArray(details["causes"])) return false;
  return details["causes"].some((cause: unknown) => isObject(cause) && cause["reason"] === reason);
}

function lookAt({ resource, namespace, name }: Asked): string {
  return `See what it says: kubectl get ${words[resource].one} ${name} -n ${namespace}`;
}

const verbs: Readonly<Record<Asked["verb"], string>> = {
  get: "read",
  watch: "watched",
  update: "written",
  create: "made",
};

const passes = " (within a minute of the API server's start, or of a grant, this passes by itself)";

function sentence({ where, verb }: Asked, why: string, mend: string, mayPass: boolean): string {
  // A command is copied to the end of the line.
  const end = mend.includes("kubectl") ? "" : ".";
  return `${where} could not be ${verbs[verb]}${mayPass ? passes : ""}: ${why}. ${mend}${end}`;
}

function refused(asked: Asked, why: string, mend: string, mayPass = false): StoreError {
  return new StoreError("refused", sentence(asked, why, mend, mayPass));
}

function unreachable(asked: Asked, why: string, mend: string, mayPass = false): StoreError {
  return new StoreError("unreachable", sentence(asked, why, mend, mayPass));
}

/** What answered is no such object, with status 200 or 201. */
export function notAnApiServer(where: string): StoreError {
  return new StoreError(
    "unreachable",
    `${where} could not be read: something answered that is no Kubernetes API server. See that the address leads straight to it.`,
  );
}
