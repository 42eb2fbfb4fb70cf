import { get } from "node:http";

import type { RequestEffect } from "../../src/sandbox/fault-kinds.ts";
import { holdWrites } from "./held-writes.ts";
import type { HeldWrites } from "./held-writes.ts";
import type { TokenHost } from "./token-host.ts";
import { issuePath } from "./token-host.ts";
import { until } from "./until.ts";
import { walletPaths } from "./wallet-call.ts";
import { movedTo } from "./watched-cli.ts";
import type { WatchedCli } from "./watched-cli.ts";

/** What stands in a renewal's way. */
export interface StageOptions {
  /** What Presto does with the issue call, instead of just executing it. */
  readonly issue?: RequestEffect;
  /** Presto keeps the questions waiting by which a sidecar finds out whether its token lives. */
  readonly probesHeld?: true;
  /** Presto keeps a call of some app waiting meanwhile, so that R5 has something to wait for. */
  readonly busy?: true;
  /** From when the record can't be written, so that a state that writes lasts. */
  readonly writesHeld?: "from-the-start" | "issue-seen" | "checking";
}

/** A stage for one renewal, on which it stops where it is to be looked at. */
export interface Stage {
  /** Resolves when Presto has read the issue call. */
  issueSeen(): Promise<true>;
  /** Holds and lets go while the renewal goes on; `from` is the log line from which it is looked at. */
  steer(sidecar: WatchedCli, from: number): Promise<void>;
  /** Lets go all that would hold up the next process too; a call that Presto keeps waiting stays. */
  release(): Promise<void>;
  /** Has Presto execute the call that it keeps waiting. */
  execute(): void;
}

const patienceMs = 60_000;

/** Sets it up before the renewal begins: Presto's faults, and whoever holds back the writes. */
export async function setStage(host: TokenHost, options: StageOptions): Promise<Stage> {
  const { sandbox } = host;
  const issue =
    options.issue === undefined
      ? undefined
      : sandbox.setFault({ ...options.issue, path: issuePath, method: "POST", times: 1 });
  const probes =
    options.probesHeld === true
      ? sandbox.setFault({ kind: "hold", path: probePath, method: "GET" })
      : undefined;
  const busy = options.busy === true ? await keepOneWaiting(host) : undefined;
  const last = lastIssueCall(host);
  const held: HeldWrites[] = [];
  if (options.writesHeld === "from-the-start") held.push(await holdWrites(host.path));

  const issueSeen = (): Promise<true> =>
    until(() => (lastIssueCall(host) === last ? undefined : true), {
      withinMs: patienceMs,
      what: "the issue call",
      everyMs: 1,
    });
  return {
    issueSeen,
    async steer(sidecar, from) {
      if (options.writesHeld === "issue-seen") {
        await issueSeen();
        held.push(await holdWrites(host.path));
        issue?.remove();
      }
      if (options.writesHeld === "checking") {
        await sidecar.line(movedTo("checking"), from);
        held.push(await holdWrites(host.path));
        busy?.remove();
      }
    },
    async release() {
      for (const lock of held) await lock.release();
      busy?.remove();
      probes?.remove();
      const struck = issue !== undefined && hasStruck(host, issue.id);
      // One that waits for a call would strike the next process. One that keeps a call waiting would execute it.
      if (!struck || options.issue?.kind !== "hold" || options.issue.acts === true) issue?.remove();
    },
    execute: () => issue?.remove(),
  };
}

function lastIssueCall({ sandbox }: TokenHost): object | undefined {
  return sandbox.received().findLast(({ target }) => target === issuePath);
}

/** What a sidecar asks for unless PRESTO_PROBE_REFERENCE names another. */
const probePath = `${walletPaths.transaction}/TRX000000000`;
const busyReference = "TRX000000001";

/** Has an app ask for a transaction, and Presto keep it waiting until the fault is removed. */
async function keepOneWaiting(host: TokenHost): Promise<{ remove(): void }> {
  const path = `${walletPaths.transaction}/${busyReference}`;
  const fault = host.sandbox.setFault({ kind: "hold", path, times: 1 });
  const asked = get(
    { socketPath: host.proxy, path, agent: false, headers: { Host: "localhost" } },
    (answer) => {
      answer.on("error", () => {}).resume();
    },
  );
  // It ends as it ends: with its process, mostly.
  asked.on("error", () => {});
  await until(() => (hasStruck(host, fault.id) ? true : undefined), {
    withinMs: patienceMs,
    what: "the call that is to be kept waiting",
  });
  return fault;
}

function hasStruck({ sandbox }: TokenHost, id: number): boolean {
  return sandbox.state().faults.some((fault) => fault.id === id && fault.struck > 0);
}
