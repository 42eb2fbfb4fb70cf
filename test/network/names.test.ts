import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import type { LookedUp } from "../support/look-up.ts";
import { createLab, whatLabLacks } from "../support/network-lab.ts";
import type { Lab, LabHost, LabProcess } from "../support/network-lab.ts";
import { exchange } from "../support/raw-caller.ts";
import type { NameRules } from "../support/slow-names.ts";
import { sourceOf } from "../support/source-path.ts";

const lack = whatLabLacks(["ip"]);
const presto = "presto.bank.test";
const query = "GET /api/institutions/v1/wallet/transaction/T-1 HTTP/1.1\r\nHost: localhost\r\n\r\n";

describe.skipIf(lack !== undefined)("the names of a host whose resolver", () => {
  let lab: Lab;
  let host: LabHost;
  let names: LabProcess;
  let folder: string;
  let env: Readonly<Record<string, string>>;

  beforeEach(async () => {
    lab = createLab();
    host = lab.host("names");
    folder = mkdtempSync(join(tmpdir(), "presto-names-"));
    const authority = await createAuthority();
    const { certPem, keyPem } = await authority.issue({ names: [presto] });
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text, { mode: 0o600 });
      return join(folder, name);
    };
    host.asks("nameserver 127.0.0.1\n");
    const mirror = host.start(process.execPath, [
      sourceOf("test/support/mirror-presto.ts"),
      file("cert", certPem),
      file("key", keyPem),
    ]);
    names = host.start(process.execPath, [sourceOf("test/support/slow-names.ts")]);
    await Promise.all([mirror.says("listening"), names.says("listening")]);
    env = {
      PRESTO_URL: `https://${presto}`,
      PRESTO_CA_FILE: file("ca", authority.certPem),
      PRESTO_TOKEN: "token-of-the-tests",
      PRESTO_LISTEN: `unix:${join(folder, "proxy")}`,
      PRESTO_ADMIN_LISTEN: `unix:${join(folder, "admin")}`,
      PRESTO_CONTROL_LISTEN: "off",
    };
  });
  afterEach(async () => {
    await lab.close();
    rmSync(folder, { recursive: true });
  });

  let rounds = 0;
  async function answer(rules: Partial<NameRules>): Promise<void> {
    rounds += 1;
    names.child.stdin?.write(
      `${JSON.stringify({ names: { [presto]: ["127.0.0.1"] }, ...rules, round: rounds })}\n`,
    );
    await names.says(`"round":${rounds}}`);
  }

  function run(command: readonly string[], more: Readonly<Record<string, string>> = {}): LabProcess {
    return host.start(process.execPath, [sourceOf("src/main.ts"), ...command], { ...env, ...more });
  }

  async function startSidecar(more?: Readonly<Record<string, string>>): Promise<LabProcess> {
    const sidecar = run(["start"], more);
    await sidecar.says("The sidecar listens.");
    return sidecar;
  }

  /** What so many calls at once come to, by status. */
  async function callAtOnce(count: number): Promise<Readonly<Record<string, number>>> {
    const calls = Array.from({ length: count }, () => exchange({ path: join(folder, "proxy") }, query));
    return Object.fromEntries(
      Object.entries(Object.groupBy(await Promise.all(calls), ({ status }) => `${status}`)).map(
        ([status, ended]) => [status, ended?.length ?? 0],
      ),
    );
  }

  async function admin(path: string): Promise<string> {
    return (await exchange({ path: join(folder, "admin") }, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)).body;
  }

  function asked(): number {
    return names.output().match(/^asked: /gm)?.length ?? 0;
  }

  /** Milliseconds from now until it has ended. */
  async function endOf({ child }: LabProcess): Promise<number> {
    const from = performance.now();
    await new Promise((resolve) => {
      if (child.exitCode !== null) resolve(undefined);
      child.once("exit", resolve);
    });
    return performance.now() - from;
  }

  it.each([
    ["takes 50 ms", { delayMs: 50 }, "nameserver 127.0.0.1\n", 2],
    ["takes 100 ms", { delayMs: 100 }, "nameserver 127.0.0.1\n", 2],
    [
      "takes 10 ms for each of four search domains",
      { delayMs: 10 },
      "nameserver 127.0.0.1\nsearch a.svc.test svc.test cluster.test bank.test\noptions ndots:5\n",
      10,
    ],
  ])("%s serve 250 calls at once", async (_what, rules, resolv, questions) => {
    host.asks(resolv);
    await answer(rules);
    // 250 handshakes take their time where other work is done at the same time.
    const sidecar = await startSidecar({ PRESTO_CONNECT_TIMEOUT: "20s", PRESTO_TIMEOUT: "40s" });
    expect(await callAtOnce(250)).toEqual({ 200: 250 });
    // One look-up at a time, whoever waits for it: a few, for as long as the handshakes take, and not 250.
    expect(asked()).toBeLessThanOrEqual(40 * questions);
    expect(sidecar.output()).not.toContain("not resolved");
  });

  it("answers no question for IPv6 serve at once all the same", async () => {
    await answer({ silentOnV6: true });
    await startSidecar({ PRESTO_CONNECT_TIMEOUT: "4s" });
    expect(await callAtOnce(5)).toEqual({ 200: 5 });
  });

  it("was silent from the start serve within seconds of its first answer", async () => {
    await answer({ silent: true });
    await startSidecar({ PRESTO_CONNECT_TIMEOUT: "1s" });
    for (let round = 0; round < 3; round += 1) expect(await callAtOnce(20)).toEqual({ 504: 20 });
    await answer({});
    const from = performance.now();
    while ((await callAtOnce(1))["200"] !== 1) expect(performance.now() - from).toBeLessThan(30_000);
  });

  it("falls silent serve on, as they were last good, and it is told", async () => {
    await answer({});
    const sidecar = await startSidecar();
    expect(await callAtOnce(1)).toEqual({ 200: 1 });
    await answer({ silent: true });
    expect(await callAtOnce(50)).toEqual({ 200: 50 });
    await sidecar.says("The addresses that were last good serve");
    expect(await admin("/readyz?verbose")).toMatch(
      /^\[!\]last-good-addresses: No resolver answers for presto/m,
    );
    expect(await admin("/metrics")).toContain("presto_sidecar_last_good_addresses 1");
    await answer({});
    await sidecar.says("A resolver answers again");
    expect(await admin("/readyz?verbose")).toContain("[+]last-good-addresses ok");
    expect(await admin("/metrics")).toContain("presto_sidecar_last_good_addresses 0");
  });

  it("answers are found as the system finds them", async () => {
    await answer({
      names: {
        "presto.bank.test": ["192.0.2.1"],
        "short.a.test": ["192.0.2.2"],
        "short.b.test": ["192.0.2.3"],
        "dots.here.b.test": ["192.0.2.4"],
        "dots.here": ["192.0.2.5"],
        "in-both": ["192.0.2.6"],
        "none.test": [],
      },
    });
    host.knows({ "in-both": ["198.51.100.1"], "Upper.Test": ["198.51.100.2", "2001:db8::2"] });
    const tried = [
      "presto.bank.test",
      "short",
      "dots.here",
      "in-both",
      "upper.test",
      "localhost",
      "none.test",
      "lost",
    ];
    const settings = [
      ["search a.test b.test", "files dns"],
      ["search b.test", "dns files"],
      [
        "search a.test b.test\noptions ndots:3",
        "files mdns4_minimal [NOTFOUND=return] myhostname resolve [!UNAVAIL=return] dns",
      ],
      ["", "files ldap dns"],
      ["", "files"],
    ];
    for (const [resolv, nsswitch] of settings) {
      host.asks(`nameserver 127.0.0.1\n${resolv}\n`, `hosts: ${nsswitch}\n`);
      const program = host.start(process.execPath, [sourceOf("test/support/look-up.ts"), ...tried]);
      await program.says("done");
      const found: readonly LookedUp[] = program
        .output()
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line));
      expect(found.map(({ name }) => name)).toEqual(tried);
      expect(found.map(({ name, ours }) => [name, ours])).toEqual(
        found.map(({ name, theirs }) => [name, theirs]),
      );
    }
  });

  it("is not all that nsswitch.conf names: there the system looks names up", async () => {
    await answer({});
    host.asks("nameserver 127.0.0.1\n", "hosts: files ldap dns\n");
    const sidecar = await startSidecar();
    expect(await callAtOnce(3)).toEqual({ 200: 3 });
    expect(sidecar.output()).not.toContain("not resolved");
  });

  it("is named in resolv.conf(5) only while it runs serve within seconds, and so do those of another one", async () => {
    await answer({});
    // Nobody there: as on a laptop that was started without a network, or left its VPN.
    host.asks("nameserver 127.0.0.9\n");
    const sidecar = await startSidecar({ PRESTO_CONNECT_TIMEOUT: "10s" });
    expect(await callAtOnce(2)).toEqual({ 502: 2 });
    host.asks("nameserver 127.0.0.1\n");
    const from = performance.now();
    while ((await callAtOnce(1))["200"] !== 1) expect(performance.now() - from).toBeLessThan(30_000);
    host.asks("nameserver 127.0.0.9\n");
    expect(await callAtOnce(50)).toEqual({ 200: 50 });
    await sidecar.says("The addresses that were last good serve");
    host.asks("nameserver 127.0.0.1\n");
    await sidecar.says("A resolver answers again");
  });

  it("is silent don't keep the process from ending", async () => {
    await answer({ silent: true });
    const sidecar = await startSidecar({ PRESTO_CONNECT_TIMEOUT: "1s" });
    expect(await callAtOnce(3)).toEqual({ 504: 3 });
    sidecar.child.kill("SIGTERM");
    expect(await endOf(sidecar)).toBeLessThan(5_000);
    expect(sidecar.child.exitCode).toBe(0);
  });

  it("is silent don't keep doctor beyond its time", async () => {
    await answer({ silent: true });
    const from = performance.now();
    const doctor = run(["doctor", "--timeout", "3s"], { PRESTO_CONNECT_TIMEOUT: "2s" });
    await endOf(doctor);
    expect(performance.now() - from).toBeLessThan(20_000);
    expect(doctor.output()).toMatch(/^FAIL +dns .*was not resolved in time.*last good/m);
  });
});
