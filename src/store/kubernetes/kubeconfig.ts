import { dirname, isAbsolute, resolve } from "node:path";

import { parse } from "yaml";

import { CommandError, systemCode } from "../../errors.ts";
import { type BoundedRead, readBounded } from "../../files/io.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";
import type { ExecPlugin } from "./exec-plugin.ts";

/** Something that stands in the kubeconfig itself, or in a file that it names. */
export type Material =
  | { readonly kind: "given"; readonly text: string }
  | { readonly kind: "file"; readonly path: string };

/** How an API server is reached, and as whom. */
export interface ClusterAccess {
  readonly server: URL;
  /** The name that its certificate must have, where it is not the server's. */
  readonly serverName: string | undefined;
  /** PEM; undefined: whom Node's bundled list trusts. */
  readonly ca: Material | undefined;
  /** PEM certificate of ours, and its key. */
  readonly certificate: { readonly cert: Material; readonly key: Material } | undefined;
  readonly token: Material | undefined;
  readonly plugin: ExecPlugin | undefined;
}

const maxBytes = 1024 * 1024;

/** One thing of a kubeconfig, and the folder from which its relative paths count. */
interface Section {
  readonly fields: JsonObject;
  readonly folder: string;
}

/**
 * Reads the current context of a kubeconfig, as kubectl merges several files: the first that names
 * something has it, and one that is not there is passed over.
 * @throws CommandError `configuration`, which quotes nothing but names
 */
export async function readKubeconfig(paths: readonly string[]): Promise<ClusterAccess> {
  const files: Section[] = [];
  for (const path of paths) {
    const fields = await readFields(path);
    if (fields !== undefined) files.push({ fields, folder: dirname(resolve(path)) });
  }
  if (files.length === 0) throw refused(`${inWords(paths)}: there is no such file`);

  const current = files.map(({ fields }) => fields["current-context"]).find((name) => isFilled(name));
  if (typeof current !== "string") {
    throw refused("no current-context is set; choose one with: kubectl config use-context NAME");
  }
  const context = find(files, "contexts", "context", current);
  const cluster = find(files, "clusters", "cluster", nameIn(context, "cluster", `the context ${current}`));
  const user = find(files, "users", "user", nameIn(context, "user", `the context ${current}`));
  return { ...readCluster(cluster), ...readUser(user, readCluster(cluster)) };
}

type ClusterPart = Pick<ClusterAccess, "server" | "serverName" | "ca">;

function readCluster(section: Section): ClusterPart {
  const { fields } = section;
  refuseFields(fields, {
    "insecure-skip-tls-verify":
      "would give the token to whoever answers; name the cluster's CA in certificate-authority",
    "proxy-url":
      "is not used: a store is reached straight; take it out, or run where the API server can be reached",
  });
  const server = text(fields, "server");
  if (server === undefined || !URL.canParse(server)) throw refused("the cluster's server is not a URL");
  const url = new URL(server);
  if (url.protocol !== "https:") {
    throw refused(
      "the cluster's server is not https://, and whoever listens on the way could read the token",
    );
  }
  if (url.username !== "" || url.password !== "") throw refused("the cluster's server holds a password");
  return {
    server: url,
    serverName: text(fields, "tls-server-name"),
    ca: material(section, "certificate-authority"),
  };
}

function readUser(
  section: Section,
  cluster: ClusterPart,
): Pick<ClusterAccess, "certificate" | "token" | "plugin"> {
  const { fields } = section;
  refuseFields(fields, {
    username: "is not used; give the user a token, a client certificate or an exec plugin",
    password: "is not used; give the user a token, a client certificate or an exec plugin",
    "auth-provider": "was taken out of Kubernetes in 1.26; give the user an exec plugin",
    as: "is not used; give the user credentials of its own",
  });
  const cert = material(section, "client-certificate");
  const key = material(section, "client-key");
  if ((cert === undefined) !== (key === undefined)) {
    throw refused("the user has one of client-certificate and client-key, and needs both");
  }
  const tokenFile = text(fields, "tokenFile");
  const token = text(fields, "token");
  const access = {
    certificate: cert === undefined || key === undefined ? undefined : { cert, key },
    token: tokenFile === undefined ? given(token) : file(section, tokenFile),
    plugin: isObject(fields["exec"])
      ? readPlugin({ ...section, fields: fields["exec"] }, cluster)
      : undefined,
  };
  if (access.certificate === undefined && access.token === undefined && access.plugin === undefined) {
    throw refused(
      "the user has neither a token, a client certificate nor an exec plugin, and nothing is asked as nobody",
    );
  }
  return access;
}

function readPlugin({ fields, folder }: Section, cluster: ClusterPart): ExecPlugin {
  const command = text(fields, "command");
  const apiVersion = text(fields, "apiVersion") ?? "";
  if (command === undefined) throw refused("the user's exec names no command");
  if (!/^client\.authentication\.k8s\.io\/v1(beta1)?$/.test(apiVersion)) {
    throw refused("the user's exec has another apiVersion than client.authentication.k8s.io/v1 or v1beta1");
  }
  if (fields["interactiveMode"] === "Always") {
    throw refused("the user's exec asks for a terminal (interactiveMode: Always), and gets none here");
  }
  return {
    // Only a bare name is looked for in PATH.
    command: command.includes("/") ? resolve(folder, command) : command,
    args: list(fields["args"]).filter((arg) => typeof arg === "string"),
    env: Object.fromEntries(
      list(fields["env"]).flatMap((entry) =>
        isObject(entry) && typeof entry["name"] === "string" && typeof entry["value"] === "string"
          ? [[entry["name"], entry["value"]]]
          : [],
      ),
    ),
    apiVersion,
    cluster: fields["provideClusterInfo"] === true ? describeCluster(cluster) : undefined,
  };
}

function describeCluster({ server, serverName, ca }: ClusterPart): Record<string, string> {
  return {
    server: server.href,
    ...(serverName === undefined ? {} : { "tls-server-name": serverName }),
    ...(ca?.kind === "given"
      ? { "certificate-authority-data": Buffer.from(ca.text, "latin1").toString("base64") }
      : {}),
  };
}

async function readFields(path: string): Promise<JsonObject | undefined> {
  let read: BoundedRead;
  try {
    read = await readBounded(path, { maxBytes, followLink: true });
  } catch (error) {
    throw refused(`${path} can't be read (${systemCode(error) ?? "unknown cause"})`);
  }
  if (read.kind === "absent") return undefined;
  if (read.kind !== "content") throw refused(`${path} is not a file, or larger than ${maxBytes} bytes`);
  let value: unknown;
  try {
    value = parse(read.bytes.toString("utf8"), { logLevel: "error", maxAliasCount: 100 });
  } catch {
    // The parser's own error quotes the line, which may hold a token.
    throw refused(`${path} is not YAML`);
  }
  if (!isObject(value)) throw refused(`${path} is not a kubeconfig`);
  return value;
}

/** The first entry of that name. Files list them as `clusters: [{name, cluster: {…}}]`. */
function find(files: readonly Section[], all: string, one: string, name: string): Section {
  for (const { fields, folder } of files) {
    for (const entry of list(fields[all])) {
      if (!isObject(entry) || entry["name"] !== name) continue;
      return { fields: isObject(entry[one]) ? entry[one] : {}, folder };
    }
  }
  throw refused(`there is no ${one} ${name}, which the current context names`);
}

function nameIn({ fields }: Section, field: string, where: string): string {
  const name = text(fields, field);
  if (name === undefined) throw refused(`${where} names no ${field}`);
  return name;
}

function refuseFields(fields: JsonObject, reasons: Readonly<Record<string, string>>): void {
  for (const [field, reason] of Object.entries(reasons)) {
    const value = fields[field];
    if (isFilled(value) && value !== false) throw refused(`${field} ${reason}`);
  }
}

/** `NAME-data` (base64) goes before the file that `NAME` names, as in kubectl. */
function material(section: Section, name: string): Material | undefined {
  const data = text(section.fields, `${name}-data`);
  if (data !== undefined) return { kind: "given", text: Buffer.from(data, "base64").toString("latin1") };
  const path = text(section.fields, name);
  return path === undefined ? undefined : file(section, path);
}

function file({ folder }: Section, path: string): Material {
  return { kind: "file", path: isAbsolute(path) ? path : resolve(folder, path) };
}

function given(value: string | undefined): Material | undefined {
  return value === undefined ? undefined : { kind: "given", text: value };
}

function text(fields: JsonObject, name: string): string | undefined {
  const value = fields[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isFilled(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "";
}

function inWords(paths: readonly string[]): string {
  return new Intl.ListFormat("en-GB").format(paths);
}

function refused(what: string): CommandError {
  return new CommandError("configuration", `KUBECONFIG: ${what}.`);
}
