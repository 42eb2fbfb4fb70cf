import { StoreError } from "../contract.ts";
import { jsonOf, type RemoteError, type RemoteResponse } from "../remote.ts";
import type { VaultAccess } from "./access.ts";

// What a Vault's answers mean, in sentences. Nothing of an answer is quoted in one: it comes from outside.

/** The texts of an answer's errors, in lower case, to be compared with known ones. */
export function errorsOf(response: RemoteResponse): string {
  const errors = jsonOf(response)?.["errors"];
  return Array.isArray(errors)
    ? errors
        .filter((each) => typeof each === "string")
        .join("\n")
        .toLowerCase()
    : "";
}

/** RFC 9110 section 10.2.3, in seconds: the form that Vault has. */
export function retryAfterMs({ headers }: Pick<RemoteResponse, "headers">): number | undefined {
  const value = headers["retry-after"];
  return typeof value === "string" && /^\d{1,6}$/.test(value) ? Number(value) * 1000 : undefined;
}

/** The server is there and does not serve for now. */
export function awayError(subject: string, url: string, why: string): StoreError {
  return new StoreError("unreachable", `${subject}: the Vault at ${url} ${why}. It is tried again.`);
}

/** There was no answer. */
export function unansweredError(subject: string, url: string, { code, message }: RemoteError): StoreError {
  const mend =
    code === "untrusted"
      ? "Name the file with its CA's certificate in VAULT_CACERT, and see that its certificate is for that host."
      : "See that it runs and can be reached from here (VAULT_ADDR).";
  return new StoreError("unreachable", `${subject}: no answer of the Vault at ${url}: ${message}. ${mend}`);
}

/** Answers that will be others before long. @returns what is so; undefined for any other answer */
export function passingAnswer(response: RemoteResponse): string | undefined {
  const { status } = response;
  // To follow would hand the token to whoever is named there; and the one who is named may be dead.
  if (status >= 300 && status < 400) return `is a standby, and its leader does not answer (${status})`;
  const told = errorsOf(response);
  if (status === 400 && told.includes("upgrading")) return "is just setting that secrets engine up";
  if (status < 500 && status !== 412) return undefined;
  if (told.includes("sealed"))
    return "is sealed; have it unsealed with: bao operator unseal (or vault operator unseal)";
  if (told.includes("not initialized")) return "is not initialized yet";
  return `does not serve for now (${status})`;
}

/** Neither the token at hand nor another is let in to that path. */
export function refusedError(
  subject: string,
  { login, namespace }: VaultAccess,
  method: string,
  path: string,
): StoreError {
  const capability = method === "GET" ? "read" : "create and update";
  const whose =
    login.method === "token"
      ? "The token in VAULT_TOKEN has expired, was revoked, or lacks"
      : `The role ${login.method === "kubernetes" ? login.role : "of PRESTO_VAULT_ROLE_ID"} lacks`;
  return new StoreError(
    "refused",
    `${subject}: Vault refuses it (403). ${whose} the ${capability} capability on ${path}${namespace === undefined ? "" : ` in the namespace ${namespace}`}: see bao token capabilities ${path}, and whether there is such a mount: bao secrets list`,
  );
}
