import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { freePorts } from "../../support/free-ports.ts";
import { until } from "../../support/until.ts";
import { endWithUs } from "../end-with-us.ts";
import { fetchOpenBao } from "./fetch.ts";

/** Three real OpenBaos that keep one storage, by Raft; the first is the leader. Plain HTTP on loopback. */
export interface BaoCluster {
  readonly urls: readonly string[];
  readonly rootToken: string;
  /** Kills the leader, and gives its index. */
  killLeader(): Promise<number>;
  /** Starts one that was killed, and unseals it. */
  restart(index: number): Promise<void>;
  /** Seals all of them. */
  seal(): Promise<void>;
  unseal(): Promise<void>;
  /** Says something to the one that is active. */
  api(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ readonly status: number; readonly json: unknown }>;
  close(): Promise<void>;
}

export async function startBaoCluster(): Promise<BaoCluster> {
  const program = await fetchOpenBao();
  const folder = await mkdtemp(join(tmpdir(), "presto-raft-"));
  const ports = await freePorts(6);
  const nodes = [0, 1, 2].map((index) => ({
    url: `http://127.0.0.1:${ports[index]}`,
    cluster: `127.0.0.1:${ports[index + 3]}`,
  }));
  const leader = nodes[0]?.url ?? "";
  const children: ChildProcess[] = [];
  for (const [index, { url, cluster }] of nodes.entries()) {
    const path = join(folder, `node-${index}`);
    await mkdir(path);
    const config = {
      storage: {
        raft: {
          path,
          node_id: `node-${index}`,
          performance_multiplier: "1",
          ...(index === 0 ? {} : { retry_join: [{ leader_api_addr: leader }] }),
        },
      },
      listener: [{ tcp: { address: new URL(url).host, cluster_address: cluster, tls_disable: true } }],
      api_addr: url,
      cluster_addr: `https://${cluster}`,
    };
    await writeFile(join(folder, `${index}.json`), JSON.stringify(config));
    children.push(launch(index));
  }

  function launch(index: number): ChildProcess {
    const log = openSync(join(folder, `${index}.log`), "a");
    return endWithUs(
      spawn(program, ["server", `-config=${join(folder, `${index}.json`)}`], {
        stdio: ["ignore", log, log],
        env: { PATH: "", HOME: folder },
      }),
    );
  }

  async function ask(url: string, method: string, path: string, body?: object, token = "") {
    const response = await fetch(`${url}/v1/${path}`, {
      method,
      headers: { "x-vault-token": token },
      redirect: "manual",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, json: Object(text === "" ? {} : JSON.parse(text)) };
  }
  const soon = { withinMs: 30_000, everyMs: 100 };
  const initialized = await until(
    async () => {
      const answer = await ask(leader, "PUT", "sys/init", { secret_shares: 1, secret_threshold: 1 }).catch(
        () => undefined,
      );
      return answer?.status === 200 ? answer.json : undefined;
    },
    { ...soon, what: "the first node is initialized" },
  );
  const rootToken = String(initialized.root_token);
  async function unseal(url: string): Promise<void> {
    await until(
      async () => {
        const sent = await ask(url, "PUT", "sys/unseal", { key: String(initialized.keys[0]) }).catch(
          () => undefined,
        );
        if (sent === undefined) return undefined;
        const { json } = await ask(url, "GET", "sys/health?standbyok=true&perfstandbyok=true");
        return json.sealed === false ? true : undefined;
      },
      { ...soon, what: `${url} is unsealed` },
    );
  }
  for (const { url } of nodes) await unseal(url);
  await until(
    async () => {
      const made = await ask(
        leader,
        "POST",
        "sys/mounts/secret",
        { type: "kv", options: { version: "2" } },
        rootToken,
      );
      return made.status === 204 ? true : undefined;
    },
    { ...soon, what: "the leader is active" },
  );
  for (const { url } of nodes) {
    await until(
      async () =>
        (await ask(url, "GET", "secret/data/none", undefined, rootToken)).status === 404 ? true : undefined,
      { ...soon, what: `${url} serves the KV engine` },
    );
  }
  // Those who join have no vote at first; without them a dead leader has no successor.
  const raft = "sys/storage/raft";
  await ask(
    leader,
    "POST",
    `${raft}/autopilot/configuration`,
    { server_stabilization_time: "1s" },
    rootToken,
  );
  await until(
    async () => {
      const { json } = await ask(leader, "GET", `${raft}/configuration`, undefined, rootToken);
      const servers: { readonly voter: boolean }[] = json.data?.config?.servers ?? [];
      return servers.filter(({ voter }) => voter).length === 3 ? true : undefined;
    },
    { ...soon, what: "all nodes vote" },
  );

  async function leadingNode(): Promise<number | undefined> {
    const states = await Promise.all(
      nodes.map(({ url }) => ask(url, "GET", "sys/leader").catch(() => undefined)),
    );
    const index = states.findIndex((state) => state?.json.is_self === true);
    return index < 0 ? undefined : index;
  }
  async function kill(child: ChildProcess | undefined): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  return {
    urls: nodes.map(({ url }) => url),
    rootToken,
    async killLeader() {
      // For a while after an unsealing there is none.
      const index = await until(leadingNode, { ...soon, what: "a node leads" });
      await kill(children[index]);
      return index;
    },
    async restart(index) {
      const node = nodes[index];
      if (node === undefined) throw new Error(`there is no node ${index}`);
      children[index] = launch(index);
      await unseal(node.url);
    },
    async seal() {
      // One that is sealed can't seal the next, so each is told by itself, standbys first: they hand it on otherwise.
      for (let round = 0; round < nodes.length; round += 1) {
        for (const { url } of nodes) await ask(url, "PUT", "sys/seal", undefined, rootToken).catch(() => {});
      }
    },
    async unseal() {
      await Promise.all(nodes.map(({ url }) => unseal(url)));
    },
    async api(method, path, body) {
      for (const { url } of nodes) {
        const answer = await ask(url, method, path, body, rootToken).catch(() => undefined);
        if (answer !== undefined && answer.status < 300) return answer;
        if (answer !== undefined && answer.status < 500 && answer.status >= 400) return answer;
      }
      throw new Error(`no node answers to ${method} ${path}`);
    },
    async close() {
      await Promise.all(children.map(kill));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
