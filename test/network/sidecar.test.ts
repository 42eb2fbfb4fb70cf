import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { whatLabLacks } from "../support/network-lab.ts";
import type { LabProcess } from "../support/network-lab.ts";
import { exchange } from "../support/raw-caller.ts";
import { startMicrosocks, startTinyproxy } from "../support/real-proxies.ts";
import { sourceOf } from "../support/source-path.ts";
import { startTwoGateways } from "../support/two-gateways.ts";
import type { TwoGateways } from "../support/two-gateways.ts";

const lack = whatLabLacks();
const query = "GET /api/institutions/v1/wallet/transaction/T-1 HTTP/1.1\r\nHost: localhost\r\n\r\n";

describe.skipIf(lack !== undefined)("the sidecar itself", () => {
  let net: TwoGateways;
  let started = 0;
  beforeAll(async () => {
    net = await startTwoGateways();
    await startTinyproxy(net.a, { listen: "10.77.1.254", port: 3128, folder: net.folder });
    await startMicrosocks(net.b, { listen: "10.77.2.254", port: 1080, login: ["user", "MARKED"] });
  });
  afterAll(() => net?.close());

  /** Starts it on the client. Unix sockets belong to no network, so a test can call it from outside. */
  function start(env: Readonly<Record<string, string>>): {
    readonly path: string;
    readonly process: LabProcess;
  } {
    started += 1;
    const path = join(net.folder, `proxy-${started}.sock`);
    const process = net.client.start(globalThis.process.execPath, [sourceOf("src/main.ts"), "start"], {
      PRESTO_URL: "https://presto.test",
      PRESTO_CA_FILE: net.caFile,
      PRESTO_TOKEN: "token-of-the-tests",
      PRESTO_LISTEN: `unix:${path}`,
      PRESTO_ADMIN_LISTEN: `unix:${join(net.folder, `admin-${started}.sock`)}`,
      PRESTO_CONTROL_LISTEN: "off",
      ...env,
    });
    return { path, process };
  }

  it.each([
    ["PRESTO_EGRESS_ADDRESS=10.77.1.12", { PRESTO_EGRESS_ADDRESS: "10.77.1.12" }, "10.77.1.12"],
    ["PRESTO_EGRESS_ADDRESS=fd77:1::11", { PRESTO_EGRESS_ADDRESS: "fd77:1::11" }, "fd77:1::11"],
    [
      "PRESTO_EGRESS_PROXY=http://…",
      { PRESTO_EGRESS_PROXY: "http://10.77.1.254:3128" },
      /^(10\.77\.8\.1|fd77:8::fe)$/,
    ],
    [
      "PRESTO_EGRESS_PROXY=socks5://…",
      { PRESTO_EGRESS_PROXY: "socks5://user:MARKED@10.77.2.254:1080" },
      /^(10\.77\.9\.1|fd77:9::fe)$/,
    ],
  ])("leaves as it is told: %s", async (_what, env, seen) => {
    const { path, process } = start(env);
    await process.says("The sidecar listens.");
    const answer = await exchange({ path }, query);
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body).data.seen).toMatch(seen);
    expect(process.output()).not.toContain("MARKED");
  });

  it("answers not-sent where the egress proxy refuses, and says what it said", async () => {
    const { path, process } = start({ PRESTO_EGRESS_PROXY: "socks5://user:wrong-MARKED@10.77.2.254:1080" });
    await process.says("The sidecar listens.");
    const answer = await exchange({ path }, query);
    expect(answer.headers).toMatchObject({
      "presto-outcome": "not-sent",
      "proxy-status": expect.stringContaining("error=proxy_configuration_error"),
    });
    expect(JSON.parse(answer.body)).toMatchObject({
      status: 502,
      code: "upstream-unreachable",
      detail: expect.stringContaining(
        "the egress proxy refused the user and password of PRESTO_EGRESS_PROXY",
      ),
    });
    expect(answer.raw + process.output()).not.toContain("MARKED");
    expect(net.mirror.output().match(/request: /g)?.length).toBe(4);
  });

  it("does not start with an address that the machine does not have", async () => {
    const { process } = start({ PRESTO_EGRESS_ADDRESS: "10.77.1.99" });
    await process.says(
      /PRESTO_EGRESS_ADDRESS: 10\.77\.1\.99 is not an address of this machine.*10\.77\.1\.11 \(to-a\)/,
    );
    await expect.poll(() => process.child.exitCode).toBe(78);
  });
});
