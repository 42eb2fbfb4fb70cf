import { connect } from "node:net";
import { networkInterfaces } from "node:os";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { runCommand } from "../../src/cli/run.ts";
import { loadConfig } from "../../src/config/load.ts";
import { systemCode } from "../../src/errors.ts";
import type { ListenAddress } from "../../src/listen/address.ts";
import { createSandbox } from "../../src/sandbox/server.ts";
import { createTestIo } from "../support/command-io.ts";
import { type RunningSidecar, startSidecar } from "../support/running-sidecar.ts";

// Invariant 10: only loopback addresses and Unix sockets are listened on for proxying;
// anything else needs a flag whose name says that it is unsafe.

const sound = { PRESTO_URL: "https://presto.example", PRESTO_TOKEN: "token-of-this-test" };

/** What other machines could reach, and names whose meaning depends on a resolver. */
const open = [
  "0.0.0.0:7380",
  "[::]:7380",
  "10.0.0.7:7380",
  "192.0.2.1:7380",
  "[2001:db8::1]:7380",
  "[fe80::1]:7380",
  "app.example:7380",
  "126.255.255.255:7380",
  "128.0.0.1:7380",
  "[::ffff:10.0.0.7]:7380",
];

async function check(env: NodeJS.ProcessEnv): Promise<{ readonly code: number; readonly err: string }> {
  const { io, err } = createTestIo({ env: { ...sound, ...env } });
  return { code: await runCommand(["check"], io), err: err() };
}

describe("the proxy listener", () => {
  it.each(open)("is not opened at %s", async (address) => {
    const { code, err } = await check({ PRESTO_LISTEN: address });
    expect(code).toBe(78);
    expect(err).toContain("PRESTO_LISTEN");
  });

  it("is not opened where one address of several is open", async () => {
    expect((await check({ PRESTO_LISTEN: "127.0.0.1:7380,0.0.0.0:7390" })).code).toBe(78);
  });

  it.each(["127.0.0.1:7380", "127.9.9.9:7380", "[::1]:7380", "localhost:7380", "unix:/run/presto.sock"])(
    "may be opened at %s",
    async (address) => {
      expect((await check({ PRESTO_LISTEN: address })).code).toBe(0);
    },
  );

  it("binds a name for loopback by its address, whatever a resolver says", () => {
    expect(loadConfig({ ...sound, PRESTO_LISTEN: "localhost:7380" }, []).listen).toEqual([
      { kind: "tcp", host: "127.0.0.1", port: 7380 },
    ]);
  });

  it("may be opened elsewhere only by a flag that says it is unsafe", async () => {
    expect((await check({ PRESTO_LISTEN: "0.0.0.0:7380", PRESTO_UNSAFE_LISTEN_ANYWHERE: "yes" })).code).toBe(
      0,
    );
    for (const value of ["no", "", "true", "1"]) {
      expect(
        (await check({ PRESTO_LISTEN: "0.0.0.0:7380", PRESTO_UNSAFE_LISTEN_ANYWHERE: value })).code,
      ).toBe(78);
    }
  });
});

describe("the control listener", () => {
  it.each(open)("is not opened at %s, whatever flag is set", async (address) => {
    const control = address.replace("7380", "7382");
    for (const flag of ["no", "yes"]) {
      const { code, err } = await check({
        PRESTO_CONTROL_LISTEN: control,
        PRESTO_UNSAFE_LISTEN_ANYWHERE: flag,
      });
      expect(code).toBe(78);
      expect(err).toContain("PRESTO_CONTROL_LISTEN");
    }
  });
});

describe("a socket for every user of the machine", () => {
  it.each(["0666", "0606", "0601", "0777"])(
    "is not made with mode %s, whatever flag is set",
    async (mode) => {
      for (const flag of ["no", "yes"]) {
        expect(
          (
            await check({
              PRESTO_LISTEN: `unix:/run/presto.sock?mode=${mode}`,
              PRESTO_UNSAFE_LISTEN_ANYWHERE: flag,
            })
          ).code,
        ).toBe(78);
      }
    },
  );
});

describe("a running sidecar", () => {
  const sandbox = createSandbox();
  let sidecar: RunningSidecar;
  beforeAll(async () => {
    await sandbox.start();
    sidecar = await startSidecar({
      url: sandbox.url,
      caPem: sandbox.caPem,
      env: { PRESTO_CONTROL_LISTEN: "127.0.0.1:0" },
    });
  });
  afterAll(async () => {
    await sidecar.close();
    await sandbox.close();
  });

  function ports(): number[] {
    const { proxy, control } = sidecar.addresses;
    return [...proxy, control].flatMap((address: ListenAddress | undefined) =>
      address?.kind === "tcp" ? [address.port] : [],
    );
  }

  /** `connect`, or the code of the error. */
  function knock(host: string, port: number): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect({ host, port });
      socket.once("error", (error) => resolve(systemCode(error) ?? "no code"));
      socket.once("connect", () => {
        socket.destroy();
        resolve("connect");
      });
    });
  }

  it("answers on loopback", async () => {
    expect(ports()).toHaveLength(2);
    for (const port of ports()) expect(await knock("127.0.0.1", port)).toBe("connect");
  });

  it("answers at no other address of this machine", async () => {
    const others = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      // A link-local address needs a zone to be reached at all.
      .filter(({ internal, address }) => !internal && !address.startsWith("fe80"))
      .map(({ address }) => address);
    // A second loopback address stands for them on a machine that has none.
    for (const host of [...others, "127.0.0.2"]) {
      for (const port of ports()) expect([host, await knock(host, port)]).toEqual([host, "ECONNREFUSED"]);
    }
  });
});
