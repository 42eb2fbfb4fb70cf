import { mkdir, mkdtemp, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

import { pointers } from "./parse-fault.ts";
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
      for (const line of pointers({ url, controlUrl, account, caFile, tokenFile })) write(line);
      await aborted(signal);
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

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
