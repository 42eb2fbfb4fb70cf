import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { type AddressInfo, createServer } from "node:net";

import { describe, expect, it, onTestFinished } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { startAttempt } from "../../../src/connect/attempt.ts";
import { createLookup, type Lookup } from "../../../src/connect/lookup.ts";
import { createResolver } from "../../../src/connect/resolver.ts";
import { openTcp } from "../../../src/connect/tcp.ts";
import { createHandClock } from "../../support/hand-clock.ts";

/** A resolver that gives these addresses, and remembers what it was asked. */
function resolver(...addresses: readonly string[]) {
  const asked: unknown[] = [];
  const lookup: Lookup = async (host, family) => {
    asked.push([host, family]);
    return addresses.filter((address) => family === 0 || address.includes(":") === (family === 6));
  };
  return { lookup, asked };
}

/** A server on these addresses, all on one port; answers whom it met, by the address that was called. */
async function listen(host: string, port = 0): Promise<{ readonly port: number; readonly met: string[] }> {
  const met: string[] = [];
  const server = createServer((socket) => {
    met.push(socket.localAddress ?? "");
    socket.destroy();
  });
  await new Promise<void>((resolve) => {
    server.listen(port, host, resolve);
  });
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, met };
}

function resolverBy(lookup: Lookup = createLookup(systemClock)) {
  return createResolver({ lookup, clock: systemClock, emit() {} });
}

function begin(timeoutMs = 5_000) {
  const running = startAttempt(timeoutMs, systemClock);
  onTestFinished(() => running.end());
  return running;
}

describe("all addresses of a name", () => {
  it("are tried, one after the other, at once where one fails", async () => {
    const { port, met } = await listen("127.0.0.9");
    const { lookup } = resolver("127.0.0.7", "127.0.0.8", "127.0.0.9", "127.0.0.10");
    // A clock that stands still: no address is waited for.
    const options = { localAddress: undefined, clock: createHandClock(), resolver: resolverBy(lookup) };
    const socket = await openTcp({ host: "presto.invalid", port }, options, begin().attempt);
    onTestFinished(() => void socket.destroy());
    expect(socket.remoteAddress).toBe("127.0.0.9");
    await expect.poll(() => met).toEqual(["127.0.0.9"]);
  });

  it("are tried with a local address as well, but only those of its family", async () => {
    const { port } = await listen("127.0.0.9");
    const { lookup, asked } = resolver("127.0.0.7", "::1", "127.0.0.9");
    const options = { localAddress: "127.0.0.2", clock: createHandClock(), resolver: resolverBy(lookup) };
    const socket = await openTcp({ host: "presto.invalid", port }, options, begin().attempt);
    onTestFinished(() => void socket.destroy());
    expect([socket.localAddress, socket.remoteAddress]).toEqual(["127.0.0.2", "127.0.0.9"]);
    expect(asked).toEqual([["presto.invalid", 4]]);
  });

  it("take turns by family, so that one that leads nowhere costs a single delay", async () => {
    const { port } = await listen("::1");
    // Nobody listens on the IPv4 ones: were both of them tried first, there would be three sockets.
    const { lookup } = resolver("127.0.0.7", "127.0.0.8", "::1");
    let tried = 0;
    const options = { localAddress: undefined, clock: createHandClock(), resolver: resolverBy(lookup) };
    const count = (): void => void (tried += 1);
    subscribe("net.client.socket", count);
    try {
      const socket = await openTcp({ host: "presto.invalid", port }, options, begin().attempt);
      onTestFinished(() => void socket.destroy());
      expect(socket.remoteAddress).toBe("::1");
    } finally {
      unsubscribe("net.client.socket", count);
    }
    expect(tried).toBe(2);
  });

  it("that all refuse are one failure", async () => {
    const { port } = await listen("127.0.0.9");
    const { lookup } = resolver("127.0.0.7", "127.0.0.8");
    const options = { localAddress: undefined, clock: createHandClock(), resolver: resolverBy(lookup) };
    await expect(openTcp({ host: "presto.invalid", port }, options, begin().attempt)).rejects.toMatchObject({
      kind: "unreachable",
      place: "presto",
      proxyStatus: "connection_refused",
    });
  });

  it("that failed last are tried last", async () => {
    const { port } = await listen("127.0.0.9");
    const { lookup } = resolver("127.0.0.7", "127.0.0.9");
    let tried = 0;
    const options = { localAddress: undefined, clock: createHandClock(), resolver: resolverBy(lookup) };
    const count = (): void => void (tried += 1);
    subscribe("net.client.socket", count);
    try {
      for (const most of [2, 3, 4]) {
        const socket = await openTcp({ host: "presto.invalid", port }, options, begin().attempt);
        socket.destroy();
        expect(tried).toBe(most);
      }
    } finally {
      unsubscribe("net.client.socket", count);
    }
  });

  it("are looked up anew for each connection", async () => {
    const { port } = await listen("127.0.0.9");
    const { lookup, asked } = resolver("127.0.0.9");
    const options = { localAddress: undefined, clock: systemClock, resolver: resolverBy(lookup) };
    for (let count = 0; count < 3; count += 1) {
      const socket = await openTcp({ host: "presto.invalid", port }, options, begin().attempt);
      socket.destroy();
    }
    expect(asked).toHaveLength(3);
  });
});

describe("a failure before TCP is up", () => {
  it("names what the resolver said", async () => {
    const lookup: Lookup = () => Promise.reject(Object.assign(new Error("x"), { code: "ENOTFOUND" }));
    for (const [localAddress, message] of [
      [undefined, "name not resolved (ENOTFOUND)"],
      ["127.0.0.1", "no IPv4 address (ENOTFOUND), and PRESTO_EGRESS_ADDRESS is one of IPv4"],
      ["::1", "no IPv6 address (ENOTFOUND), and PRESTO_EGRESS_ADDRESS is one of IPv6"],
    ] as const) {
      const options = { localAddress, clock: systemClock, resolver: resolverBy(lookup) };
      await expect(
        openTcp({ host: "presto.invalid", port: 1 }, options, begin().attempt),
      ).rejects.toMatchObject({
        kind: "unreachable",
        proxyStatus: "dns_error",
        message,
      });
    }
  });

  it("is a time-out of the look-up where the resolver is silent", async () => {
    const { attempt } = begin(50);
    const options = {
      localAddress: undefined,
      clock: systemClock,
      resolver: resolverBy(() => new Promise(() => {})),
    };
    await expect(openTcp({ host: "presto.invalid", port: 1 }, options, attempt)).rejects.toMatchObject({
      kind: "timeout",
      proxyStatus: "dns_timeout",
      message: "not connected within 50 ms: the name was not resolved",
    });
  });

  it("is this machine's where the local address has gone meanwhile", async () => {
    const options = { localAddress: "192.0.2.77", clock: systemClock, resolver: resolverBy() };
    await expect(openTcp({ host: "127.0.0.1", port: 1 }, options, begin().attempt)).rejects.toMatchObject({
      kind: "unreachable",
      place: "here",
      message: "192.0.2.77, the PRESTO_EGRESS_ADDRESS, can't be left from (EADDRNOTAVAIL)",
    });
  });

  it("leaves no socket behind when it is given up", async () => {
    const { port, met } = await listen("127.0.0.1");
    const { attempt, handle, isGivenUp } = begin();
    let answer: (() => void) | undefined;
    const lookup: Lookup = () =>
      new Promise((resolve) => {
        answer = () => resolve(["127.0.0.1"]);
      });
    const opening = openTcp(
      { host: "presto.invalid", port },
      { localAddress: undefined, clock: systemClock, resolver: resolverBy(lookup) },
      attempt,
    );
    handle.destroy();
    await expect(opening).rejects.toThrow("given up");
    answer?.();
    expect(isGivenUp()).toBe(true);
    const probe = await openTcp(
      { host: "127.0.0.1", port },
      { localAddress: undefined, clock: systemClock, resolver: resolverBy() },
      begin().attempt,
    );
    onTestFinished(() => void probe.destroy());
    await expect.poll(() => met).toHaveLength(1);
  });
});
