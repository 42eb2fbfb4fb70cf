import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { type Clock, systemClock } from "../../../src/clock.ts";
import type { Warning } from "../../../src/lib/events.ts";
import { StoreError } from "../../../src/store/contract.ts";
import { openSecretBackend } from "../../../src/store/kubernetes/secret.ts";
import type { KubeServer } from "./server.ts";

/** As whom, and by which way. */
export interface KubeconfigOptions {
  /** Of the file. */
  readonly name: string;
  /** A `user` of a kubeconfig. */
  readonly user: object;
  /** Another way to the API server, at 127.0.0.1. */
  readonly port?: number;
}

/** Writes a kubeconfig into the server's folder. @returns its path */
export async function writeKubeconfig(
  kube: KubeServer,
  { name, user, port }: KubeconfigOptions,
): Promise<string> {
  const path = join(kube.folder, `${name}.kubeconfig`);
  const server = port === undefined ? kube.url : `https://127.0.0.1:${port}`;
  await writeFile(
    path,
    JSON.stringify({
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
      clusters: [{ name: "c", cluster: { server, "certificate-authority": "ca.crt" } }],
      users: [{ name: "u", user }],
    }),
    { mode: 0o600 },
  );
  return path;
}

/** A Secret as a process has it whose kubeconfig that is, and what that process was warned of. */
export async function openSecret(
  kubeconfig: string,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  clock: Clock = systemClock,
) {
  const warnings: string[] = [];
  const emit = ({ message }: Warning): void => void warnings.push(message);
  const cluster = { kubeconfig: [kubeconfig], host: undefined, port: undefined, environment: {} };
  const backend = await openSecretBackend(
    { namespace, name, key: "record", holds: "token", cluster },
    { clock, emit },
  );
  return {
    ...backend,
    warnings,
    text: async () => {
      const read = await backend.read();
      return read && Buffer.from(read.bytes).toString();
    },
    put: async (text: string) => backend.write(Buffer.from(text), (await backend.read())?.version),
  };
}

/** Why the store did not do it. Fails where it did, or where it was another's fault. */
export async function refusalOf(attempt: Promise<unknown>): Promise<string> {
  const end: unknown = await attempt.catch((error: unknown) => error);
  if (end instanceof StoreError) return `${end.code}: ${end.message}`;
  throw new Error(`no refusal: ${JSON.stringify(end)}`);
}
