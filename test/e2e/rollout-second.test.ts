import { get } from "node:http";
import { hostname } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { runCli } from "../support/built-cli.ts";
import type { Stage } from "../support/renewal-stage.ts";
import { createRolledHost } from "../support/rolled-host.ts";
import type { RolledHost } from "../support/rolled-host.ts";
import { walletPaths } from "../support/wallet-call.ts";
import { lastState } from "../support/watched-cli.ts";
import type { WatchedCli } from "../support/watched-cli.ts";

let rolled: RolledHost;
let first: WatchedCli;
let stage: Stage;

/** Its own sockets beside those of the first, and the same record. */
function elsewhere(): Record<string, string> {
  const at = (name: string): string => `unix:${join(rolled.host.folder, `second-${name}`)}`;
  return {
    PRESTO_LISTEN: at("proxy"),
    PRESTO_ADMIN_LISTEN: at("admin"),
    PRESTO_CONTROL_LISTEN: at("control"),
  };
}

/** Asks for a transaction that is not there: 404 with a token that lives. */
function statusOf(socketPath: string): Promise<number | undefined> {
  const path = `${walletPaths.transaction}/TRX000000000`;
  return new Promise((resolve, reject) => {
    get({ socketPath, path, agent: false, headers: { Host: "localhost" } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    }).on("error", reject);
  });
}

beforeEach(async () => {
  rolled = await createRolledHost({ env: { PRESTO_SETTLE: "90s", PRESTO_TIMEOUT: "60s" } });
  first = rolled.start();
  await rolled.settled();
  await rolled.callers.log.servedAfter(performance.now());
  stage = await rolled.renewUntil(first, "issuing", { issue: { kind: "hold", acts: true } });
});
afterEach(() => rolled.close());

describe("while a sidecar renews", () => {
  it("a second one on the same record waits, and serves from the new token without asking for one", async () => {
    const second = rolled.start(elsewhere());
    await second.line(({ msg }) => msg === "The sidecar listens.");
    expect((await runCli(["healthcheck"], { env: elsewhere() })).code).toBe(0);
    const held = statusOf(join(rolled.host.folder, "second-proxy"));
    // Longer than a command would wait for the lock.
    const command = await runCli(["token", "issue", "--yes"], { env: rolled.host.env() });
    expect(command.code).toBe(75);
    expect(command.err).toContain(`Process ${first.child.pid} on ${hostname()}`);
    expect([lastState(second.lines()), second.child.exitCode]).toEqual(["locking", null]);
    stage.execute();
    expect(await held).toBe(404);
    await rolled.settled();
    expect(rolled.host.issueCalls()).toBe(2);
    expect(await rolled.host.record()).toMatchObject({ generation: 2 });
    expect((await rolled.roll(second)).code).toBe(0);
    expect(await rolled.judge()).toEqual([]);
  });

  it("a second one takes over the moment the first is killed: the dead token proves what became of the call", async () => {
    const second = rolled.start(elsewhere());
    await second.line(({ msg }) => msg === "The sidecar listens.");
    first.child.kill("SIGKILL");
    await first.ended;
    await rolled.settled();
    expect(rolled.host.issueCalls()).toBe(3);
    expect(second.child.exitCode).toBeNull();
  });
});
