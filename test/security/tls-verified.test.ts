import { createServer } from "node:net";

import { describe, expect, it, onTestFinished } from "vitest";

import { createAuthority, createSelfSigned } from "../../src/sandbox/certificates.ts";
import type { Certificate } from "../../src/sandbox/certificates.ts";
import { createChain } from "../support/certificate-chain.ts";
import { exchange } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto, RawPrestoOptions, WireRequest } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";

// Invariant 1: TLS is verified, 1.2 or newer. A server that does not prove itself gets not one
// byte of a request, and the caller is told so.

const day = 24 * 60 * 60 * 1000;
const authority = await createAuthority();
const body = '{"transaction_reference":"T-1"}';
const confirm = `POST /api/institutions/v1/wallet/confirm HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
/** What names the call's own transaction settles what became of it: nothing is asked. */
const accepting = (request: WireRequest): void =>
  void request.socket.write(httpAnswer(200, `{"data":${body}}`));

async function startPresto(options: RawPrestoOptions = {}): Promise<RawPresto> {
  const presto = await startRawPresto({ authority, ...options });
  presto.answer(accepting);
  onTestFinished(() => presto.close());
  return presto;
}

async function startWith(
  url: string,
  env: Readonly<Record<string, string | undefined>> = {},
  caPem = authority.certPem,
): Promise<RunningSidecar> {
  const sidecar = await startSidecar({ url, caPem, env });
  onTestFinished(() => sidecar.close());
  return sidecar;
}

async function expectRefused(presto: RawPresto, sidecar: RunningSidecar): Promise<void> {
  const answer = await exchange(sidecar, confirm);
  expect(answer.status).toBe(502);
  expect(answer.headers).toMatchObject({
    "content-type": "application/problem+json",
    "presto-outcome": "not-sent",
    "proxy-status": expect.stringMatching(/^presto-sidecar; error=tls_\w+$/),
  });
  expect(JSON.parse(answer.body)).toMatchObject({
    code: "upstream-untrusted",
    outcome: "not-sent",
    retryable: true,
  });
  // Once its connections are over, whatever was written on them has come.
  await expect.poll(() => presto.open()).toBe(0);
  expect(Buffer.concat(presto.wire())).toHaveLength(0);
}

async function expectAccepted(presto: RawPresto, sidecar: RunningSidecar): Promise<void> {
  const answer = await exchange(sidecar, confirm);
  expect([answer.status, answer.headers["presto-outcome"]]).toEqual([200, "answered"]);
  expect(presto.requests.at(-1)?.body.toString()).toBe(body);
}

describe("a server that proves itself", () => {
  it("gets the call", async () => {
    const presto = await startPresto();
    await expectAccepted(presto, await startWith(presto.url));
  });

  it.each(["TLSv1.2", "TLSv1.3"] as const)("gets it over %s", async (version) => {
    const presto = await startPresto({ tls: { minVersion: version, maxVersion: version } });
    await expectAccepted(presto, await startWith(presto.url));
    expect(presto.requests[0]?.socket.getProtocol()).toBe(version);
  });

  it("gets it by a chain that is whole", async () => {
    const chain = await createChain();
    const certificate = { ...chain.leaf, certPem: chain.leaf.certPem + chain.intermediatePem };
    const presto = await startPresto({ certificate });
    await expectAccepted(presto, await startWith(presto.url, {}, chain.rootPem));
  });
});

const flaws: Readonly<Record<string, () => Promise<Certificate>>> = {
  "for another name": () => authority.issue({ names: ["presto.invalid"] }),
  "for the address and not for the name": () => authority.issue({ names: ["127.0.0.1", "::1"] }),
  "for another name, with ours as its common name": () =>
    authority.issue({ names: ["presto.invalid"], commonName: "localhost" }),
  "with ours as its common name, and no other name": () =>
    authority.issue({ names: [], commonName: "localhost" }),
  "with ours as its common name beside an address": () =>
    authority.issue({ names: ["127.0.0.1"], commonName: "localhost" }),
  "for a name below ours": () => authority.issue({ names: ["a.localhost", "*.localhost"] }),
  "for every name": () => authority.issue({ names: ["*"] }),
  "that has expired": () =>
    authority.issue({ notBefore: new Date(Date.now() - 3 * day), notAfter: new Date(Date.now() - 60_000) }),
  "that is not valid yet": () =>
    authority.issue({ notBefore: new Date(Date.now() + day), notAfter: new Date(Date.now() + 3 * day) }),
  "that vouches for itself": () => createSelfSigned(),
  "of another authority": async () => (await createAuthority({ name: "Another CA" })).issue(),
  "of another authority with the same name": async () => (await createAuthority()).issue(),
  "for clients": () => authority.issue({ usage: "client" }),
};

describe("a certificate", () => {
  it.each(Object.entries(flaws))("%s gets nothing", async (_flaw, issue) => {
    const presto = await startPresto({ certificate: await issue() });
    await expectRefused(presto, await startWith(presto.url));
  });

  it.each(Object.entries(flaws))("%s gets nothing over TLS 1.2 either", async (_flaw, issue) => {
    const presto = await startPresto({ certificate: await issue(), tls: { maxVersion: "TLSv1.2" } });
    await expectRefused(presto, await startWith(presto.url));
  });

  it("of an authority that has expired gets nothing", async () => {
    const old = await createAuthority({
      notBefore: new Date(Date.now() - 3 * day),
      notAfter: new Date(Date.now() - day),
    });
    const presto = await startPresto({ certificate: await old.issue() });
    await expectRefused(presto, await startWith(presto.url, {}, old.certPem));
  });

  it("whose chain lacks the intermediate gets nothing", async () => {
    const chain = await createChain();
    const presto = await startPresto({ certificate: chain.leaf });
    await expectRefused(presto, await startWith(presto.url, {}, chain.rootPem));
  });

  it("that was issued by a certificate which may not issue gets nothing", async () => {
    const chain = await createChain({ mayIssue: false });
    const certificate = { ...chain.leaf, certPem: chain.leaf.certPem + chain.intermediatePem };
    const presto = await startPresto({ certificate });
    await expectRefused(presto, await startWith(presto.url, {}, chain.rootPem));
  });

  it("that no certificate file vouches for gets nothing", async () => {
    const presto = await startPresto();
    await expectRefused(presto, await startWith(presto.url, { PRESTO_CA_FILE: undefined }));
  });
});

describe("a server", () => {
  it.each(["TLSv1", "TLSv1.1"] as const)("that speaks %s at most gets nothing", async (version) => {
    const tls = { minVersion: "TLSv1", maxVersion: version, ciphers: "DEFAULT@SECLEVEL=0" } as const;
    const presto = await startPresto({ tls });
    await expectRefused(presto, await startWith(presto.url));
  });

  it("that wants another protocol than HTTP/1.1 gets nothing", async () => {
    const presto = await startPresto({ tls: { ALPNProtocols: ["h2"] } });
    await expectRefused(presto, await startWith(presto.url));
  });

  it("is offered HTTP/1.1 alone, and told the name that was configured", async () => {
    const offers: unknown[] = [];
    const presto = await startPresto({
      tls: {
        ALPNCallback(offer) {
          offers.push(offer);
          return "http/1.1";
        },
      },
    });
    await expectAccepted(presto, await startWith(presto.url));
    expect(offers).toEqual([{ servername: "localhost", protocols: ["http/1.1"] }]);
    expect(presto.requests[0]?.header("host")).toBe(`localhost:${presto.port}`);
  });

  it("is told no name where the origin is an address, and has to prove the address", async () => {
    const good = await startPresto();
    await expectAccepted(good, await startWith(`https://127.0.0.1:${good.port}`));
    expect(good.requests[0]?.socket).toMatchObject({ servername: false });

    const named = await startPresto({
      certificate: await authority.issue({ names: ["localhost", "127.0.0.2"] }),
    });
    await expectRefused(named, await startWith(`https://127.0.0.1:${named.port}`));
  });

  it("that speaks plain HTTP gets nothing but the hello of TLS", async () => {
    const received: Buffer[] = [];
    const plain = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (chunk: Buffer) => {
        received.push(chunk);
        socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
      });
    });
    await new Promise<void>((resolve) => {
      plain.listen(0, "127.0.0.1", resolve);
    });
    onTestFinished(() => void plain.close());
    const address = plain.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const sidecar = await startWith(`https://localhost:${port}`);
    const answer = await exchange(sidecar, confirm);
    expect([answer.status, answer.headers["presto-outcome"]]).toEqual([502, "not-sent"]);
    expect(JSON.parse(answer.body)).toMatchObject({ code: "upstream-untrusted" });
    // One hello for each connection (RFC 8446 section 5.1: 0x16 is a handshake record), and no HTTP.
    for (const chunk of received) expect(chunk[0]).toBe(0x16);
    expect(Buffer.concat(received).toString("latin1")).not.toMatch(
      /HTTP\/1|POST|confirm|Bearer|token-of-the-tests/,
    );
  });
});

describe("the switch that Node has", () => {
  it("turns nothing off, before the first connection and between two", async () => {
    const good = await startPresto();
    good.answer((request) => request.socket.end(httpAnswer(200, `{"data":${body}}`, ["Connection: close"])));
    const sidecar = await startWith(good.url);
    const bad = await startPresto({ certificate: await createSelfSigned() });
    const other = await startWith(bad.url);
    await expectAccepted(good, sidecar);
    const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    onTestFinished(() => {
      if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
    });
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    await expectRefused(bad, other);
    const seen = good.requests.length;
    good.present(await createSelfSigned());
    const answer = await exchange(sidecar, confirm.replace("T-1", "T-2"));
    expect(JSON.parse(answer.body)).toMatchObject({ code: "upstream-untrusted", outcome: "not-sent" });
    expect(good.requests).toHaveLength(seen);
  });
});
