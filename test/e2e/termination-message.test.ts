import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { type HeldPresto, startHeldPresto } from "../support/held-presto.ts";
import { openProgramStage, type ProgramStage } from "../support/program-stage.ts";
import { openRawCaller, type RawCaller } from "../support/raw-caller.ts";
import { confirmCall } from "../support/wallet-call.ts";
import type { WatchedCli } from "../support/watched-cli.ts";

// A pod may end before anybody has scraped it: what it does not know of money stands in its log and in the message
// that kubelet keeps of its container.

/** As kubelet does it: a /dev of its own, and in it a file of the node's. */
const asContainer = `
set -e
mount --make-rprivate /
mkdir -p "$1"
mount --bind /dev "$1"
mount -t tmpfs tmpfs /dev
for device in null zero random urandom; do touch "/dev/$device"; mount --bind "$1/$device" "/dev/$device"; done
if [ -e "$2" ]; then touch /dev/termination-log; mount --bind "$2" /dev/termination-log; fi
shift 2
exec "$@"
`;
const mayMount = spawnSync("unshare", ["--mount", "true"]).status === 0;

let presto: HeldPresto;
let stage: ProgramStage;
let caller: RawCaller;
let sidecar: WatchedCli;

describe.skipIf(!mayMount)("a container that ends with an unknown outcome", () => {
  beforeEach(async () => {
    presto = await startHeldPresto();
    stage = await openProgramStage(
      { url: presto.url, caPem: presto.authority.certPem },
      { PRESTO_TOKEN: "token-of-the-tests", PRESTO_DRAIN_MAX: "1s" },
    );
  });

  afterEach(async () => {
    caller.close();
    await stage.close();
    await presto.close();
  });

  /** With a file for the message, as kubelet makes it; undefined: none. */
  async function runInContainer(content: string | undefined): Promise<void> {
    const file = stage.at("termination-log");
    if (content !== undefined) {
      writeFileSync(file, content);
      chmodSync(file, 0o666);
    }
    sidecar = stage.start(
      {},
      {
        node: "unshare",
        nodeArgs: [
          "--mount",
          "bash",
          "-c",
          asContainer,
          "container",
          stage.at("dev"),
          file,
          process.execPath,
        ],
      },
    );
    await stage.ready();
    caller = await openRawCaller({ path: stage.at("proxy") });
  }

  const message = (): string => readFileSync(stage.at("termination-log"), "utf8");

  it("leaves it in the log, and its number in the termination message, without a reference", async () => {
    await runInContainer(
      "the message of the container before it, which was longer than this one will be".repeat(9),
    );
    caller.send(confirmCall("TRX-to-be-kept-quiet", "X-Request-Id: asked-by-the-app"));
    await presto.holds(1);
    sidecar.child.kill("SIGTERM");
    expect(await sidecar.ended).toBe(1);
    expect(message()).toMatch(
      /^presto-sidecar ended without knowing what became of 1 call that moves money, the oldest for [^.]+\. Its log has the request id .*\n$/,
    );
    expect(message()).not.toMatch(/TRX|asked-by-the-app/);
    const line = await sidecar.line(({ msg }) => String(msg).startsWith("This process ends"));
    expect(line).toMatchObject({
      level: "error",
      request_id: "asked-by-the-app",
      operation: "wallet.confirm",
    });
  });

  it("does so at a second signal, which waits for nothing", async () => {
    await runInContainer("");
    caller.send(confirmCall("A"));
    await presto.holds(1);
    sidecar.child.kill("SIGTERM");
    await expect.poll(() => sidecar.out()).toContain("The sidecar drains.");
    sidecar.child.kill("SIGTERM");
    expect(await sidecar.ended).toBe(143);
    expect(message()).toContain("what became of 1 call that moves money");
    expect(sidecar.out().match(/This process ends/g)).toHaveLength(1);
  });

  it("leaves the message alone where every end is known", async () => {
    await runInContainer("of an earlier one\n");
    sidecar.child.kill("SIGTERM");
    expect(await sidecar.ended).toBe(0);
    expect(message()).toBe("of an earlier one\n");
  });

  it("makes no such file where there is none", async () => {
    await runInContainer(undefined);
    caller.send(confirmCall("A"));
    await presto.holds(1);
    sidecar.child.kill("SIGTERM");
    expect(await sidecar.ended).toBe(1);
    expect(existsSync(stage.at("termination-log"))).toBe(false);
    expect(sidecar.out()).toContain("This process ends");
  });
});
