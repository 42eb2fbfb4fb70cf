import { once } from "node:events";
import { mkdir, mkdtemp, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

import { createSandbox } from "./server.ts";

/** How to run the sandbox for a person. */
export interface RunSandboxOptions {
  /** Takes one line of text. No line holds the token. */
  readonly write: (line: string) => void;
  /** Folder for the CA certificate and the token; made (0700) if it is not there. Default: a fresh temporary one. */
  readonly directory?: string;
  /** Port of the API. Default: a free one. */
  readonly port?: number;
  /** Port of the control endpoint. Default: a free one. */
  readonly controlPort?: number;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Runs a sandbox until the signal: writes its CA certificate and token into files (0600),
 * prints how to point a sidecar at it and how to make it fail, and at the end removes what it
 * made. Rejects with a ListenError (`code`, such as `EADDRINUSE`) where a port can't be had,
 * and with the system's error where a file can't be written.
 */
export async function runSandbox(options: RunSandboxOptions): Promise<void> {
  const { write, signal } = options;
  const { port = 0, controlPort = 0 } = options;
  const sandbox = createSandbox({ port, controlPort });
  await sandbox.start();
  try {
    const folder = await makeFolder(options.directory);
    const caFile = join(folder.path, "sandbox-ca.pem");
    const tokenFile = join(folder.path, "sandbox-token");
    try {
      await writePrivate(caFile, sandbox.caPem);
      await writePrivate(tokenFile, `${sandbox.token}\n`);
      const { url, controlUrl, account } = sandbox;
      for (const line of instructions({ url, controlUrl, account, caFile, tokenFile })) write(line);
      if (!signal.aborted) await once(signal, "abort");
    } finally {
      await Promise.all([rm(caFile, { force: true }), rm(tokenFile, { force: true })]);
      await folder.remove();
    }
  } finally {
    await sandbox.close();
  }
  write("The sandbox has stopped; its files are removed.");
}

interface Folder {
  readonly path: string;
  /** Removes those folders that were made here, unless somebody put something into them. */
  remove(): Promise<void>;
}

async function makeFolder(directory: string | undefined): Promise<Folder> {
  if (directory === undefined) {
    const path = await mkdtemp(join(tmpdir(), "presto-sandbox-"));
    return { path, remove: () => removeEmpty(path, path) };
  }
  const path = resolve(directory);
  const topmost = await mkdir(path, { recursive: true, mode: 0o700 });
  return { path, remove: async () => (topmost === undefined ? undefined : removeEmpty(path, topmost)) };
}

async function removeEmpty(lowest: string, topmost: string): Promise<void> {
  try {
    for (let path = lowest; path.length >= topmost.length; path = dirname(path)) await rmdir(path);
  } catch {
    // Not empty: what is in it is not ours.
  }
}

/** A file left over from a killed run is replaced, never written through: it could be a link to elsewhere. */
async function writePrivate(path: string, text: string): Promise<void> {
  await rm(path, { force: true });
  await writeFile(path, text, { mode: 0o600, flag: "wx" });
}

/** Where everything is. */
interface Places {
  readonly url: string;
  readonly controlUrl: string;
  readonly account: { readonly email: string; readonly password: string };
  readonly caFile: string;
  readonly tokenFile: string;
}

const sidecar = "http://127.0.0.1:7380";
const wallet = "/api/institutions/v1/wallet";

/**
 * What the sandbox prints: lines to copy into a shell. The account is made up, so that its
 * password may be shown; the token stands in its file only, as a real one would.
 */
function instructions({ url, controlUrl, account, caFile, tokenFile }: Places): readonly string[] {
  const json = "-H 'Content-Type: application/json'";
  const order =
    '{"customer": {"identifier_type": "phone", "identifier": "218912345678"}, "amount": 10.500, "currency": "LYD"}';
  const fault = `{"kind": "reset-after-acting", "path": "${wallet}/confirm", "times": 1}`;
  const issue = {
    email: account.email,
    password: account.password,
    token_name: "by hand",
    token_expiration_date: "2099-01-01",
  };
  return [
    `A stand-in for Presto listens on ${url}, and knows one account:`,
    `  e-mail    ${account.email}`,
    `  password  ${account.password}`,
    "",
    "# Point a sidecar at it, in another terminal:",
    `export PRESTO_URL=${url}`,
    `export PRESTO_CA_FILE=${quoted(caFile)}`,
    `export PRESTO_TOKEN_FILE=${quoted(tokenFile)}`,
    "presto-sidecar start   # in a clone of the project: node dist/main.js start",
    "",
    "# Call it through the sidecar, in a third one (init answers with the reference):",
    `curl -i ${json} -d ${quoted(order)} ${sidecar}${wallet}/init`,
    `curl -i ${json} -d '{"transaction_reference": "TRX100000001"}' ${sidecar}${wallet}/confirm`,
    `curl -i ${sidecar}${wallet}/transaction/TRX100000001`,
    "",
    "# Issue a token by hand, which kills the one in use:",
    `curl --cacert ${quoted(caFile)} ${json} -d ${quoted(JSON.stringify(issue))} ${url}/api/institutions/v1/auth/token/issue`,
    "",
    "# The control endpoint: what moved, what can go wrong, and how to make it go wrong:",
    `curl ${controlUrl}/state`,
    `curl ${controlUrl}/`,
    `curl -d ${quoted(fault)} ${controlUrl}/faults`,
    `curl -X DELETE ${controlUrl}/faults`,
    `curl -X POST ${controlUrl}/reset`,
    `curl -X POST ${controlUrl}/revoke`,
    "",
    "# A new live token for the sidecar, after it was revoked, reset, or killed by an issue:",
    `curl -X POST -H 'Accept: text/plain' ${controlUrl}/token > ${quoted(tokenFile)}`,
    "",
    "Ctrl-C stops it and removes its files.",
  ];
}

/** As a POSIX shell takes it for one word. */
function quoted(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
