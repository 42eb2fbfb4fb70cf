import {
  authorityOf,
  canonicalHost,
  type Endpoint,
  isHostForm,
  isLoopbackHost,
  parsePort,
  splitAuthority,
} from "../../lib/host.ts";
import type { SecretSource } from "../secret-source.ts";

/** How a Vault (or OpenBao) is reached, and what proves us there. One object stands for one login of this process. */
export interface VaultAccess {
  readonly address: VaultAddress;
  /** VAULT_NAMESPACE. */
  readonly namespace: string | undefined;
  /** VAULT_CACERT: the CA certificates that are trusted; undefined: Node's bundled list. */
  readonly caFile: string | undefined;
  readonly login: VaultLogin;
}

export type VaultLogin =
  /** A token that somebody else looks after. */
  | { readonly method: "token"; readonly token: SecretSource }
  | {
      readonly method: "approle";
      readonly mount: string;
      readonly roleId: string;
      readonly secretId: SecretSource;
    }
  | {
      readonly method: "kubernetes";
      readonly mount: string;
      readonly role: string;
      readonly jwtPath: string;
    };

export interface VaultAddress extends Endpoint {
  /** Plain HTTP, which only goes to this machine. */
  readonly isPlain: boolean;
  /** `https://host:port`, which messages show. */
  readonly url: string;
}

/** Where Kubernetes mounts the token of a pod's service account. */
export const serviceAccountTokenPath = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/** Where Vault answers. @returns why the text can't be that, going on from the variable's name; nothing of it is shown */
export function parseVaultAddress(text: string): VaultAddress | string {
  const [, scheme = "", authority = "", rest = ""] = /^(https?):\/\/([^/?#]*)(.*)$/is.exec(text) ?? [];
  if (scheme === "") return "is not a URL that begins with https://";
  if (authority.includes("@")) return "holds a user name or a password; give the address alone";
  if (rest !== "" && rest !== "/") return "has a path; give the address alone, without /v1";
  const { host: written, port: portText } = splitAuthority(authority);
  const host = isHostForm(written) ? canonicalHost(written) : undefined;
  if (host === undefined) return "has no valid host, or one that is written oddly";
  const isPlain = scheme.toLowerCase() === "http";
  // As Vault's own client has it, a URL without a port has the scheme's.
  const port = parsePort(portText === undefined || portText === "" ? (isPlain ? "80" : "443") : portText);
  if (port === undefined) return "has a port that does not exist";
  if (isPlain && !isLoopbackHost(host))
    return "is plain HTTP to another host, where everybody on the way could read the tokens; use https://";
  return { host, port, isPlain, url: `${isPlain ? "http" : "https"}://${authorityOf({ host, port })}` };
}

/** An entry of a KV engine of version 2, and the field of it that holds the object. */
export interface VaultEntry {
  /** `mount/path`, without a slash at its ends. */
  readonly path: string;
  readonly field: string;
}

/** What a path may be made of: it stands in URLs, and in shell lines of messages. */
const entryPath = /^[\w.-]+(?:\/[\w.-]+)+$/;
const entryField = /^[\w.-]{1,128}$/;

/** `MOUNT/PATH`, `MOUNT/PATH?field=NAME`. @returns why the text can't be that, going on from the variable's name */
export function parseVaultEntry(text: string): VaultEntry | string {
  const [path = "", query, ...more] = text.split("?");
  if (!entryPath.test(path) || /(?:^|\/)\.{1,2}(?:\/|$)/.test(path)) {
    return "is not vault:MOUNT/PATH, the path of an entry as `bao kv get` takes it, of A-Z a-z 0-9 . _ - between single slashes";
  }
  const field = query === undefined ? "record" : query.slice("field=".length);
  if (more.length > 0 || (query !== undefined && !query.startsWith("field=")) || !entryField.test(field)) {
    return "has something behind the question mark that is not field=NAME";
  }
  return { path, field };
}
