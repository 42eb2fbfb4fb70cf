import { X509Certificate } from "node:crypto";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";

import type { Clock } from "../../clock.ts";
import { CommandError, systemCode } from "../../errors.ts";
import { readBounded } from "../../files/io.ts";
import { canonicalHost, type Endpoint } from "../../lib/host.ts";
import { parseObject } from "../../lib/json.ts";
import { StoreError } from "../contract.ts";
import { createPluginSource, type PluginCredentials } from "./exec-plugin.ts";
import type { ClusterAccess, Material } from "./kubeconfig.ts";

/** Where it is said which cluster, and as whom. */
export interface ClusterOptions {
  /** The files of KUBECONFIG; empty: the Pod's own cluster. */
  readonly kubeconfig: readonly string[];
  /** The API server's address and port, as every Pod is told. */
  readonly host: string | undefined;
  readonly port: string | undefined;
  /** For a program that gives credentials: the process's environment, without what is ours alone. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where the Pod's token and the cluster's CA are mounted; the usual folder unless given. */
  readonly mount?: string | undefined;
}

/** What goes with a request. */
export interface Identity {
  readonly authorization: string | undefined;
  /** Another object where the CA or our certificate has changed. */
  readonly context: SecureContext;
}

/** An API server, and who we are to it. */
export interface Cluster {
  readonly url: string;
  readonly server: Endpoint;
  readonly serverName: string;
  /** Stands before every path; "" mostly. */
  readonly basePath: string;
  /** Are the rights those of a Pod's service account? */
  readonly inPod: boolean;
  /** Reads afresh whatever rotates. @throws StoreError `not-yet`, `refused` where there are no credentials: nothing is sent as nobody */
  identify(): Promise<Identity>;
  /** The API server did not take what `identify` gave last. */
  refused(): void;
}

const usualMount = "/var/run/secrets/kubernetes.io/serviceaccount";

/** One identity for all that a process keeps there, by where it comes from: a program that gives credentials is run once for store, account and lock. */
const opened = new WeakMap<ClusterOptions, Promise<Cluster>>();

/** @throws CommandError `configuration` where it is not said how the API server is reached, or in a way that is not safe */
export function openCluster(options: ClusterOptions, clock: Clock): Promise<Cluster> {
  const known = opened.get(options);
  if (known !== undefined) return known;
  const opening = findCluster(options, clock);
  opened.set(options, opening);
  // What is mended is read afresh.
  opening.catch(() => opened.delete(options));
  return opening;
}

async function findCluster(options: ClusterOptions, clock: Clock): Promise<Cluster> {
  const inPod = options.kubeconfig.length === 0;
  const access = inPod ? accessOfPod(options) : await readAccess(options.kubeconfig);
  const { server, serverName } = access;
  const host = canonicalHost(server.hostname);
  if (host === undefined) {
    throw new CommandError("configuration", "The API server's host is neither a name nor an address.");
  }
  return {
    url: server.origin,
    server: { host, port: server.port === "" ? 443 : Number(server.port) },
    serverName: serverName ?? host,
    basePath: server.pathname.replace(/\/+$/, ""),
    inPod,
    ...createIdentity(access, options, clock),
  };
}

/** Loaded here, with its parser: a Pod needs neither. */
async function readAccess(paths: readonly string[]): Promise<ClusterAccess> {
  const { readKubeconfig } = await import("./kubeconfig.ts");
  return readKubeconfig(paths);
}

function accessOfPod({ host, port, mount = usualMount }: ClusterOptions): ClusterAccess {
  if (host === undefined) {
    throw new CommandError(
      "configuration",
      "A Secret or a Lease of Kubernetes needs KUBECONFIG (outside of a cluster: export KUBECONFIG=$HOME/.kube/config), or KUBERNETES_SERVICE_HOST, which every Pod has; neither is set.",
    );
  }
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port ?? "443"}`;
  if (!URL.canParse(`https://${authority}`)) {
    throw new CommandError(
      "configuration",
      "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are no address and port. Leave them as Kubernetes sets them.",
    );
  }
  return {
    server: new URL(`https://${authority}`),
    serverName: undefined,
    ca: { kind: "file", path: `${mount}/ca.crt` },
    certificate: undefined,
    token: { kind: "file", path: `${mount}/token` },
    plugin: undefined,
  };
}

function createIdentity(
  access: ClusterAccess,
  { environment }: ClusterOptions,
  clock: Clock,
): Pick<Cluster, "identify" | "refused"> {
  const plugin = access.plugin && createPluginSource(access.plugin, { environment, clock });
  const ca = access.ca && createRotating(access.ca, "cluster's CA", isCertificates);
  const cert =
    access.certificate && createRotating(access.certificate.cert, "client certificate", isCertificates);
  const key = access.certificate && createRotating(access.certificate.key, "client key", isFilled);
  const token = access.token && createTokenSource(access.token);
  let made: { readonly of: string; readonly context: SecureContext } | undefined;

  function contextOf(anchors: string | undefined, own: PluginCredentials["certificate"]): SecureContext {
    const of = JSON.stringify([anchors, own]);
    if (made?.of === of) return made.context;
    try {
      const context = createSecureContext({
        ca: anchors ?? [...rootCertificates],
        allowPartialTrustChain: true,
        minVersion: "TLSv1.2",
        ...own,
      });
      made = { of, context };
      return context;
    } catch (error) {
      // A certificate and its key are two files: between the two swaps they do not fit.
      if (made !== undefined) return made.context;
      throw new StoreError(
        "refused",
        `The certificate and key for the API server can't be used (${systemCode(error) ?? "unknown cause"}). See that they belong together: kubectl get namespaces`,
      );
    }
  }

  return {
    async identify() {
      const given = await plugin?.credentials();
      const own =
        given?.certificate ??
        (cert !== undefined && key !== undefined ? { cert: await cert(), key: await key() } : undefined);
      const bearer = given?.token ?? (await token?.read());
      return {
        authorization: bearer === undefined ? undefined : `Bearer ${bearer}`,
        context: contextOf(await ca?.(), own),
      };
    },
    refused() {
      plugin?.refused();
      token?.refused();
    },
  };
}

/** Reads it afresh; a file that is empty, cut short or away for the moment keeps what was last good. */
function createRotating(
  material: Material,
  what: string,
  isGood: (text: string) => boolean,
): () => Promise<string> {
  let lastGood: string | undefined;
  return async () => {
    const text = material.kind === "given" ? material.text : await readFile(material.path);
    if (text !== undefined && isGood(text)) lastGood = text;
    if (lastGood !== undefined) return lastGood;
    throw new StoreError(
      "not-yet",
      material.kind === "given"
        ? `The ${what} in KUBECONFIG is none. Have the kubeconfig made anew.`
        : `The ${what} ${material.path} is not there, or is none. It is read again as soon as it is.`,
    );
  };
}

interface TokenSource {
  read(): Promise<string>;
  refused(): void;
}

/** One that was refused gives way to the one before it, which may still live: a file can be written halfway. */
function createTokenSource(material: Material): TokenSource {
  let current: string | undefined;
  let before: string | undefined;
  let refused: string | undefined;
  const read = createRotating(
    material,
    "service account's token",
    (text) => /^[\x21-\x7e]+$/.test(text.trim()) && !isBroken(text.trim(), current),
  );
  return {
    async read() {
      const text = (await read()).trim();
      if (text !== current) {
        before = current;
        current = text;
      }
      return text === refused && before !== undefined ? before : text;
    },
    refused() {
      if (refused === current) before = undefined;
      refused = current;
    },
  };
}

/** Where the one before was a JWT, one of which head or claims are no JSON, or the signature is missing, is a part of one. */
function isBroken(text: string, current: string | undefined): boolean {
  return current !== undefined && isJwt(current) && !isJwt(text);
}

function isJwt(text: string): boolean {
  const [head = "", claims = "", signature = "", ...rest] = text.split(".");
  return rest.length === 0 && signature !== "" && [head, claims].every((part) => decodes(part));
}

function decodes(part: string): boolean {
  return parseObject(Buffer.from(part, "base64url").toString("utf8")) !== undefined;
}

const block = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Certificates alone, each whole. */
function isCertificates(text: string): boolean {
  const blocks = text.match(block) ?? [];
  if (blocks.length === 0 || text.replaceAll(block, "").includes("-----BEGIN")) return false;
  return blocks.every((each) => {
    try {
      return new X509Certificate(each).raw.length > 0;
    } catch {
      return false;
    }
  });
}

function isFilled(text: string): boolean {
  return text.includes("-----BEGIN") && text.includes("-----END");
}

const maxBytes = 1024 * 1024;

async function readFile(path: string): Promise<string | undefined> {
  try {
    const read = await readBounded(path, { maxBytes, followLink: true });
    return read.kind === "content" ? read.bytes.toString("latin1") : undefined;
  } catch {
    return undefined;
  }
}
