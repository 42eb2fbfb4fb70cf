import { describe, expect, it, onTestFinished } from "vitest";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import { joinTo, socksProxy, socksSuccess, startGateway } from "../support/loopback-gateway.ts";
import type { GatewayScript, LoopbackGateway, SocksAnswers } from "../support/loopback-gateway.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { askOver, connectBy, failureOf, openWay } from "../support/way-out.ts";

const authority = await createAuthority();
const request = "GET /marked HTTP/1.1\r\nHost: presto.invalid\r\nAuthorization: Bearer MARKED\r\n\r\n";

/** Presto, known by a name that this machine's resolver does not know. */
async function startPresto(): Promise<RawPresto> {
  const names = ["presto.invalid", "192.0.2.7", "2001:db8::7"];
  const presto = await startRawPresto({ authority, certificate: await authority.issue({ names }) });
  presto.answer(({ socket }) => socket.end("HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n"));
  onTestFinished(() => presto.close());
  return presto;
}

async function start(script: GatewayScript): Promise<LoopbackGateway> {
  const gateway = await startGateway(script);
  onTestFinished(() => gateway.close());
  return gateway;
}

const base = { host: "presto.invalid", port: 443, caPem: authority.certPem };
const greeting = Buffer.from([5, 1, 0]);

/** What was said before TLS began. */
function spoken(gateway: LoopbackGateway): Buffer {
  const [bytes = Buffer.alloc(0)] = gateway.received();
  return bytes.subarray(0, bytes.indexOf(Buffer.from([22, 3])));
}

describe("an egress proxy that speaks SOCKS5", () => {
  it("is given the name, which it resolves, and sees nothing of what goes through", async () => {
    const presto = await startPresto();
    const gateway = await start(socksProxy({ port: presto.port }));
    const { connector } = await openWay({ ...base, proxy: `socks5://127.0.0.1:${gateway.port}` });
    expect(await askOver(await connectBy(connector), request)).toMatch(/^HTTP\/1\.1 200 X/);
    const name = Buffer.from("presto.invalid");
    const asked = Buffer.concat([Buffer.from([5, 1, 0, 3, name.length]), name, Buffer.from([1, 0xbb])]);
    expect(spoken(gateway)).toEqual(Buffer.concat([greeting, asked]));
    expect(gateway.received()[0]?.includes("MARKED")).toBe(false);
    expect(Buffer.concat(presto.wire()).toString("latin1")).toBe(request);
  });

  it.each([
    ["192.0.2.7", [5, 1, 0, 1, 192, 0, 2, 7, 1, 0xbb]],
    ["2001:db8::7", [5, 1, 0, 4, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 1, 0xbb]],
  ])("is given a literal address as one: %s", async (host, asked) => {
    const presto = await startPresto();
    const gateway = await start(socksProxy({ port: presto.port }));
    const { connector } = await openWay({ ...base, host, proxy: `socks5://127.0.0.1:${gateway.port}` });
    await connectBy(connector);
    expect(spoken(gateway)).toEqual(Buffer.concat([greeting, Buffer.from(asked)]));
  });

  it("gets user and password if it asks for them, and not otherwise", async () => {
    const presto = await startPresto();
    const offer = Buffer.from([5, 2, 0, 2]);
    const login = Buffer.concat([
      Buffer.from([1, 5]),
      Buffer.from("usér"),
      Buffer.from([3]),
      Buffer.from("p@w"),
    ]);
    for (const method of [2, 0]) {
      const gateway = await start(socksProxy({ method: [5, method], port: presto.port }));
      const { connector } = await openWay({
        ...base,
        proxy: `socks5://us%C3%A9r:p%40w@127.0.0.1:${gateway.port}`,
      });
      await connectBy(connector);
      const said = spoken(gateway);
      expect(said.subarray(0, 4)).toEqual(offer);
      expect(said.includes(login)).toBe(method === 2);
    }
  });

  it.each([
    ["a name", [5, 0, 0, 3, 2, 0x67, 0x77, 0, 80]],
    ["an IPv6 address", [5, 0, 0, 4, ...Array.from({ length: 16 }, () => 1), 0, 80]],
  ])("may be bound to %s", async (_what, reply) => {
    const presto = await startPresto();
    const gateway = await start(socksProxy({ reply, port: presto.port }));
    const { connector } = await openWay({ ...base, proxy: `socks5://127.0.0.1:${gateway.port}` });
    expect((await connectBy(connector)).authorized).toBe(true);
  });

  it("may answer the login in the name of SOCKS5's own version, as many do", async () => {
    const presto = await startPresto();
    const gateway = await start(socksProxy({ method: [5, 2], login: [5, 0], port: presto.port }));
    const { connector } = await openWay({ ...base, proxy: `socks5://user:pw@127.0.0.1:${gateway.port}` });
    expect((await connectBy(connector)).authorized).toBe(true);
  });

  it("may answer in pieces", async () => {
    const presto = await startPresto();
    const gateway = await start((client) => {
      client.setNoDelay(true);
      const pieces = [5, 0, ...socksSuccess];
      const next = (): void => {
        client.write(Buffer.from([pieces.shift() ?? 0]));
        if (pieces.length === 0) joinTo(client, presto.port);
        // The method is answered by two bytes; the reply comes once there was a request.
        else if (pieces.length === socksSuccess.length) client.once("data", next);
        else setImmediate(next);
      };
      client.once("data", next);
    });
    const { connector } = await openWay({ ...base, proxy: `socks5://127.0.0.1:${gateway.port}` });
    expect((await connectBy(connector)).authorized).toBe(true);
  });
});

/** What is said of a gateway that answers so. */
async function failureWith(answers: SocksAnswers, login = "") {
  const gateway = await start(socksProxy(answers));
  const { connector } = await openWay({ ...base, proxy: `socks5://${login}127.0.0.1:${gateway.port}` });
  const failure = await failureOf(connector);
  expect(failure).toMatchObject({ kind: "unreachable", place: "egress-proxy" });
  expect(failure.message).toMatch(/^the egress proxy /);
  expect(failure.message).not.toContain("MARKED");
  return failure;
}

const login = "MARKED:MARKED@";

describe("a refusal", () => {
  it.each([
    [1, "general SOCKS server failure", "destination_unavailable"],
    [2, "connection not allowed by ruleset", "destination_ip_prohibited"],
    [3, "Network unreachable", "destination_ip_unroutable"],
    [4, "Host unreachable", "destination_ip_unroutable"],
    [5, "Connection refused", "connection_refused"],
    [6, "TTL expired", "connection_timeout"],
    [7, "Command not supported", "proxy_configuration_error"],
    [8, "Address type not supported", "proxy_configuration_error"],
    [9, "unassigned", "destination_unavailable"],
    [255, "unassigned", "destination_unavailable"],
  ])("reply %i is called by its name: %s", async (reply, name, proxyStatus) => {
    const failure = await failureWith({ reply: [5, reply, 0, 1, 0, 0, 0, 0, 0, 0] });
    expect(failure.message).toContain(`(SOCKS reply ${reply}: ${name})`);
    expect(failure.proxyStatus).toBe(proxyStatus);
  });

  it("a reply that ends with its code is one, too", async () => {
    expect((await failureWith({ reply: [5, 5] })).proxyStatus).toBe("connection_refused");
  });

  it.each([1, 5])("wrong user and password, answered in version %i", async (version) => {
    const failure = await failureWith({ method: [5, 2], login: [version, 1] }, login);
    expect(failure.message).toMatch(/refused the user and password of PRESTO_EGRESS_PROXY$/);
    expect(failure.proxyStatus).toBe("proxy_configuration_error");
  });

  it.each([
    ["all methods", [5, 255], "", /without a user and a password, and PRESTO_EGRESS_PROXY has none/],
    ["all methods of ours", [5, 255], login, /accepts none of the methods/],
    ["GSSAPI, which was not offered", [5, 1], login, /accepts none of the methods/],
    ["a password, which was not offered", [5, 2], "", /PRESTO_EGRESS_PROXY has none/],
  ])("%s", async (_what, method, credentials, message) => {
    const failure = await failureWith({ method }, credentials);
    expect(failure.message).toMatch(message);
    expect(failure.proxyStatus).toBe("proxy_configuration_error");
  });
});

describe("an answer that is none", () => {
  it.each([
    ["an HTTP proxy's", { method: [...Buffer.from("HTTP/1.1 400 X\r\n\r\n")] }],
    ["SOCKS4's", { method: [0, 90] }],
    ["two methods", { method: [5, 0, 0] }],
    ["a login of another version", { method: [5, 2], login: [4, 0] }],
    ["a login with more behind it", { method: [5, 2], login: [1, 0, 0] }],
    ["a reply of another version", { reply: [4, 0, 0, 1, 0, 0, 0, 0, 0, 0] }],
    ["an address of no known type", { reply: [5, 0, 0, 2, 0, 0, 0, 0, 0, 0] }],
    ["bytes behind a success", { reply: [...socksSuccess, 22] }],
  ])("%s", async (_what, answers) => {
    expect((await failureWith(answers, login)).message).toMatch(
      /does not speak SOCKS5: its answer is malformed/,
    );
  });

  it.each([
    ["at once", [], (client) => client.end()],
    ["after the method", [5, 0], (client) => client.end()],
    ["by a reset", [5, 0], (client) => client.resetAndDestroy()],
  ] satisfies (readonly [string, readonly number[], GatewayScript])[])(
    "a connection that ends %s",
    async (_what, first, finish) => {
      const gateway = await start((client) => {
        client.once("data", () => {
          if (first.length === 0) finish(client);
          else client.write(Buffer.from(first), () => client.once("data", () => finish(client)));
        });
      });
      const { connector } = await openWay({ ...base, proxy: `socks5://127.0.0.1:${gateway.port}` });
      expect(await failureOf(connector)).toMatchObject({
        kind: "unreachable",
        place: "egress-proxy",
        proxyStatus: "connection_terminated",
      });
    },
  );

  it.each([
    ["a method", { method: [] }, "", /did not give its choice of a method$/],
    [
      "a word on the login",
      { method: [5, 2], login: [] },
      login,
      /did not give its word on user and password$/,
    ],
    ["a reply", { reply: [] }, "", /did not give its reply to the request$/],
    [
      "the rest of a reply",
      { reply: socksSuccess.slice(0, 9) },
      "",
      /did not give its reply to the request$/,
    ],
  ] satisfies (readonly [string, SocksAnswers, string, RegExp])[])(
    "silence instead of %s",
    async (_what, answers, credentials, message) => {
      const gateway = await start(socksProxy(answers));
      const { connector } = await openWay({
        ...base,
        proxy: `socks5://${credentials}127.0.0.1:${gateway.port}`,
        timeoutMs: 600,
      });
      const failure = await failureOf(connector);
      expect(failure).toMatchObject({
        kind: "timeout",
        place: "egress-proxy",
        proxyStatus: "connection_timeout",
      });
      expect(failure.message).toMatch(message);
      await expect.poll(() => gateway.open()).toBe(0);
    },
  );
});
