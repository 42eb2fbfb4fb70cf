import { isObject } from "../../lib/json.ts";
import type { Remark } from "../inspection.ts";
import { jsonOf } from "../remote.ts";
import type { Api } from "./api.ts";

// Rights, in the words of RBAC: which there are, who has them, and the lines that grant them.

/** Something in a namespace that a right is about. */
export interface Subject {
  readonly resource: "secrets" | "leases";
  readonly namespace: string;
  /** Undefined: whichever there is. */
  readonly name: string | undefined;
}

/** How each resource is called, and what is added to the name of a role for it: a Lease has its Secret's name. */
export const words = {
  secrets: { noun: "Secret", one: "secret", group: "", kubectl: "secrets", role: "" },
  leases: {
    noun: "Lease",
    one: "lease",
    group: "coordination.k8s.io",
    kubectl: "leases.coordination.k8s.io",
    role: "-lease",
  },
} as const;

/** `kubectl` lines that give exactly these rights. @param user undefined where it is not known who lacks them */
export function grantLine(verbs: readonly string[], about: Subject, user: string | undefined): string {
  const { resource, namespace, name = "all" } = about;
  const role = `${name}${words[resource].role}-${verbs.join("-")}`;
  // A right to create by POST can't be tied to a name, which is not in its path. A Lease is created by PUT.
  const isTied = about.name !== undefined && (resource !== "secrets" || !verbs.includes("create"));
  const only = isTied ? ` --resource-name=${name}` : "";
  return `kubectl create role ${role} -n ${namespace} --verb=${verbs.join(",")} --resource=${words[resource].kubectl}${only} && kubectl create rolebinding ${role} -n ${namespace} --role=${role} ${subjectOf(user)}`;
}

function subjectOf(user: string | undefined): string {
  if (user === undefined) return "--serviceaccount=NAMESPACE:NAME";
  const [, namespace, account] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user) ?? [];
  return account === undefined ? `--user=${user}` : `--serviceaccount=${namespace}:${account}`;
}

/** May this process do that? Undefined where the API server does not say. Asks, and changes nothing. @throws StoreError where it can't be asked */
export async function mayDo(
  api: Pick<Api, "request">,
  verb: string,
  { resource, namespace, name }: Subject,
): Promise<boolean | undefined> {
  const response = await api.request({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    body: JSON.stringify({
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { verb, group: words[resource].group, resource, namespace, name } },
    }),
  });
  const status = response.status === 201 ? jsonOf(response)?.["status"] : undefined;
  return isObject(status) && typeof status["allowed"] === "boolean" ? status["allowed"] : undefined;
}

/** May this process do all of that, and which line grants what it lacks? @param user who it is to the API server, as far as that is known */
export async function reviewRights(
  api: Pick<Api, "request">,
  verbs: readonly string[],
  about: Subject,
  user: string | undefined,
): Promise<Remark> {
  const answers = await Promise.all(
    verbs.map(async (verb) => ({ verb, allowed: await mayDo(api, verb, about) })),
  );
  const lacking = answers.filter(({ allowed }) => allowed === false).map(({ verb }) => verb);
  const who = user ?? "This process";
  if (lacking.length > 0) {
    const detail = `${who} lacks the right to ${inWords(lacking)} ${nameOf(about)}`;
    const mend = `Grant it: ${grantLine(lacking, about, user)}`;
    // Whoever hears of no change reads more often.
    return lacking.every((verb) => verb === "watch")
      ? { result: "WARN", detail: `${detail}, which is read every 5 s instead.`, mend }
      : { result: "FAIL", detail: `${detail}.`, mend };
  }
  return answers.some(({ allowed }) => allowed === undefined)
    ? { result: "SKIP", detail: `The API server does not say what this process may do to ${nameOf(about)}.` }
    : { result: "OK", detail: `${who} may ${inWords(verbs)} ${nameOf(about)}.` };
}

export function nameOf({ resource, namespace, name }: Subject): string {
  const { noun } = words[resource];
  return name === undefined
    ? `the ${noun}s of the namespace ${namespace}`
    : `the ${noun} ${namespace}/${name}`;
}

function inWords(verbs: readonly string[]): string {
  return new Intl.ListFormat("en-GB").format(verbs);
}

/** As RBAC shows a user: nothing else of an answer is printed. */
const shownUser = /^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,252}$/;

/** The name by which the API server knows who asked; undefined before Kubernetes 1.28, or for one that is not shown. */
export function userOf(review: Parameters<typeof jsonOf>[0]): string | undefined {
  const status = jsonOf(review)?.["status"];
  const info = isObject(status) ? status["userInfo"] : undefined;
  const user = isObject(info) ? info["username"] : undefined;
  return typeof user === "string" && shownUser.test(user) ? user : undefined;
}
