import { systemCode } from "../../errors.ts";
import { readBounded } from "../../files/io.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";
import { isTokenText, Secret } from "../../secret.ts";
import { StoreError } from "../contract.ts";
import { jsonOf, type RemoteRequest, type RemoteResponse } from "../remote.ts";
import { readSecret, type SecretSource } from "../secret-source.ts";
import type { VaultLogin } from "./access.ts";
import { awayError, errorsOf } from "./answers.ts";

/** A request to a Vault: its path begins behind `/v1/`. */
export type VaultRequest = Pick<RemoteRequest, "method" | "path" | "body">;

/** One exchange; what is no answer to the question is thrown. */
export type SendToVault = (
  subject: string,
  request: VaultRequest,
  token: Secret | undefined,
) => Promise<RemoteResponse>;

export interface LoginDeps {
  readonly send: SendToVault;
  readonly url: string;
}

/** A token of Vault's, and how long it lives. */
export interface Lease {
  readonly token: Secret;
  /** 0: without an end, or not known. */
  readonly leaseSeconds: number;
  readonly renewable: boolean;
  /** 0: as often as one likes, or not known. */
  readonly useLimit: number;
  /** A batch token can be neither renewed nor revoked. */
  readonly isBatch: boolean;
}

/** Logs in, or looks at the token that was given. @throws StoreError */
export async function logIn(subject: string, login: VaultLogin, deps: LoginDeps): Promise<Lease> {
  switch (login.method) {
    case "token":
      return lookAt(subject, await readGivenToken(login.token), deps);
    case "approle": {
      const secretId = await readSecret(login.secretId, "Vault secret id");
      const body = { role_id: login.roleId, secret_id: secretId.reveal() };
      // Both kinds have a prefix that no secret id has unless somebody chose it.
      const looksWrapped = /^(?:hvs|hvb|s|b)\./.test(secretId.reveal());
      const hint = looksWrapped
        ? "The secret id looks like a wrapping token: unwrap it (bao unwrap -field=secret_id) and give what comes out"
        : "See that PRESTO_VAULT_ROLE_ID is that role's, and that the secret id has neither expired nor been used as often as it may be (secret_id_num_uses, secret_id_ttl): bao write -f -field=secret_id auth/approle/role/NAME/secret-id";
      return enter(subject, login.mount, body, hint, deps);
    }
    case "kubernetes": {
      const jwt = await readServiceAccountToken(login.jwtPath);
      const hint = `See that the role ${login.role} names this pod's service account and namespace: bao read auth/${login.mount}/role/${login.role}`;
      return enter(subject, login.mount, { role: login.role, jwt: jwt.reveal() }, hint, deps);
    }
  }
}

async function enter(
  subject: string,
  mount: string,
  body: Readonly<Record<string, string>>,
  hint: string,
  { send, url }: LoginDeps,
): Promise<Lease> {
  const request = { method: "POST", path: `auth/${mount}/login`, body: JSON.stringify(body) } as const;
  const response = await send(subject, request, undefined);
  const { status } = response;
  if (status !== 200) {
    const absent = status === 404 || errorsOf(response).includes("no handler for route");
    const mend = absent ? `There is no such login: see bao auth list, and PRESTO_VAULT_MOUNT` : hint;
    throw new StoreError(
      "refused",
      `${subject}: Vault refuses the login at auth/${mount} (${status}). ${mend}.`,
    );
  }
  const lease = readLease(jsonOf(response)?.["auth"], undefined);
  if (lease === undefined) throw awayError(subject, url, "answered the login with no token");
  return lease;
}

/** What is known of a token that somebody else looks after. One that may not look at itself is used all the same. */
async function lookAt(subject: string, token: Secret, { send }: LoginDeps): Promise<Lease> {
  const response = await send(subject, { method: "GET", path: "auth/token/lookup-self" }, token);
  const data = jsonOf(response)?.["data"];
  const known: JsonObject = response.status === 200 && isObject(data) ? data : {};
  return {
    token,
    leaseSeconds: seconds(known["ttl"]),
    renewable: known["renewable"] === true,
    useLimit: seconds(known["num_uses"]),
    isBatch: known["type"] === "batch",
  };
}

/** Renews the token. @returns seconds that it lives now; undefined where Vault does not renew it */
export async function renewLease(
  subject: string,
  { token }: Lease,
  { send }: LoginDeps,
): Promise<number | undefined> {
  const request = { method: "POST", path: "auth/token/renew-self", body: "{}" } as const;
  const response = await send(subject, request, token);
  return readLease(jsonOf(response)?.["auth"], token)?.leaseSeconds;
}

function readLease(auth: unknown, known: Secret | undefined): Lease | undefined {
  if (!isObject(auth)) return undefined;
  const text = auth["client_token"];
  const token = typeof text === "string" && isTokenText(text) ? new Secret(text) : known;
  if (token === undefined) return undefined;
  return {
    token,
    leaseSeconds: seconds(auth["lease_duration"]),
    renewable: auth["renewable"] === true,
    useLimit: seconds(auth["num_uses"]),
    isBatch: auth["token_type"] === "batch",
  };
}

function seconds(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

/** The token of VAULT_TOKEN, or of its file. @throws StoreError `not-yet`, `unreadable` */
export async function readGivenToken(source: SecretSource): Promise<Secret> {
  const token = await readSecret(source, "Vault token");
  if (isTokenText(token.reveal())) return token;
  throw new StoreError(
    "refused",
    "The Vault token holds something other than visible ASCII characters. Give the token alone, as: bao token create -field=token",
  );
}

/** A JSON Web Token is a few thousand characters. */
const maxJwtBytes = 64 * 1024;

/** Kubernetes writes it anew about every hour. One that is empty or half there is never sent. */
async function readServiceAccountToken(path: string): Promise<Secret> {
  let text = "";
  try {
    const read = await readBounded(path, { maxBytes: maxJwtBytes, followLink: true });
    if (read.kind === "content") text = read.bytes.toString("latin1").trim();
  } catch (error) {
    throw new StoreError(
      "not-yet",
      `The service account's token ${path} can't be read (${systemCode(error) ?? "unknown cause"}). Mount it into this container as a projected volume, readable by its user.`,
    );
  }
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) return new Secret(text);
  throw new StoreError(
    "not-yet",
    `There is no service account's token in ${path}. Mount one into this container: a projected volume with serviceAccountToken.`,
  );
}
