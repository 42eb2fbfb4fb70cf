import { spawn } from "node:child_process";

import type { Clock } from "../../clock.ts";
import { isObject, parseObject } from "../../lib/json.ts";
import { StoreError } from "../contract.ts";

/** A program that gives credentials (client-go's `exec`), as a kubeconfig names it. */
export interface ExecPlugin {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly apiVersion: string;
  /** What it is told of the cluster, in the words of its protocol; undefined where the kubeconfig does not say so. */
  readonly cluster: Readonly<Record<string, string>> | undefined;
}

/** What it gave. */
export interface PluginCredentials {
  readonly token: string | undefined;
  readonly certificate: { readonly cert: string; readonly key: string } | undefined;
}

export interface PluginDeps {
  /** The process's own environment, without what is ours alone. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

export interface PluginSource {
  /** Kept until they expire or are refused; one run serves all who wait for it. @throws StoreError `refused` */
  credentials(): Promise<PluginCredentials>;
  /** The API server did not take them: the next who asks has the program run again. */
  refused(): void;
}

/** Milliseconds that a run may take. Whoever has to log in by hand takes longer, and has to do so before. */
const runMs = 30_000;
/** Milliseconds between two runs: a server that refuses whatever is given, or a program that fails, must not be asked all the time. */
const pauseMs = 10_000;
/** Milliseconds before their end at which credentials are not given out any more. */
const marginMs = 10_000;
const maxBytes = 1024 * 1024;

export function createPluginSource(plugin: ExecPlugin, { environment, clock }: PluginDeps): PluginSource {
  let kept:
    | { readonly credentials: PluginCredentials; readonly until: number; readonly ranAt: number }
    | undefined;
  let running: Promise<PluginCredentials> | undefined;
  let ranAt = Number.NEGATIVE_INFINITY;
  let failure: StoreError | undefined;

  async function run(): Promise<PluginCredentials> {
    ranAt = clock.monotonic();
    try {
      const { credentials, expiresAt } = readCredential(await runPlugin(plugin, environment, clock), plugin);
      failure = undefined;
      kept = { credentials, until: expiresAt === undefined ? Infinity : expiresAt - marginMs, ranAt };
      return credentials;
    } catch (error) {
      if (error instanceof StoreError) failure = error;
      throw error;
    } finally {
      running = undefined;
    }
  }

  /** What was given just now is, even where it seems to have ended: then this machine's clock is wrong, and every request would run the program. */
  function mayBeGiven({ until, ranAt: at }: NonNullable<typeof kept>): boolean {
    return clock.now() < until || clock.monotonic() - at < pauseMs;
  }

  return {
    async credentials() {
      if (kept !== undefined && mayBeGiven(kept)) return kept.credentials;
      if (running !== undefined) return running;
      if (failure !== undefined && clock.monotonic() - ranAt < pauseMs) throw failure;
      running = run();
      return running;
    },
    refused() {
      if (clock.monotonic() - ranAt >= pauseMs) kept = undefined;
    },
  };
}

/** Its standard output. It has no terminal of ours (a command may be reading one), and a group of its own, which ends with the time. */
function runPlugin(
  plugin: ExecPlugin,
  environment: PluginDeps["environment"],
  clock: Clock,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(plugin.command, plugin.args, {
      env: { ...environment, ...plugin.env, KUBERNETES_EXEC_INFO: infoFor(plugin) },
      stdio: ["ignore", "pipe", "ignore"],
      detached: true,
    });
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = clock.after(runMs, () => end(`did not end within ${runMs / 1000} s`));

    function end(why: string): void {
      timer.cancel();
      killGroup(child.pid);
      reject(failed(plugin, why));
    }
    child.stdout.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) end(`wrote more than ${maxBytes} bytes`);
      else chunks.push(chunk);
    });
    child.on("error", (error) => {
      const code = "code" in error && typeof error.code === "string" ? error.code : "unknown cause";
      end(`can't be started (${code})`);
    });
    child.on("close", (code, signal) => {
      if (code === 0) {
        timer.cancel();
        resolve(Buffer.concat(chunks).toString("utf8"));
      } else end(`ended with ${signal ?? `exit code ${code}`}`);
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/** The request of its protocol: client.authentication.k8s.io, ExecCredential. */
function infoFor({ apiVersion, cluster }: ExecPlugin): string {
  const spec = { interactive: false, ...(cluster === undefined ? {} : { cluster }) };
  return JSON.stringify({ apiVersion, kind: "ExecCredential", spec });
}

function readCredential(
  output: string,
  plugin: ExecPlugin,
): { readonly credentials: PluginCredentials; readonly expiresAt: number | undefined } {
  const status = parseObject(output)?.["status"];
  if (!isObject(status)) throw failed(plugin, "gave no ExecCredential with a status");
  const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp: expires } = status;
  const credentials = {
    token: typeof token === "string" && /^[\x21-\x7e]+$/.test(token) ? token : undefined,
    certificate:
      typeof cert === "string" && typeof key === "string" && cert !== "" ? { cert, key } : undefined,
  };
  if (credentials.token === undefined && credentials.certificate === undefined) {
    throw failed(plugin, "gave neither a token nor a client certificate");
  }
  const expiresAt = typeof expires === "string" ? Date.parse(expires) : Number.NaN;
  return { credentials, expiresAt: Number.isNaN(expiresAt) ? undefined : expiresAt };
}

function failed({ command }: ExecPlugin, why: string): StoreError {
  return new StoreError(
    "refused",
    `The program ${command}, which KUBECONFIG names for credentials, ${why}. Log in as it asks for; see that this works: kubectl get namespaces`,
  );
}
