import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";

import { loadConfig } from "../../src/config/load.ts";
import { startDecoy } from "../support/decoy.ts";
import type { Decoy } from "../support/decoy.ts";
import { exchange, openRawCaller } from "../support/raw-caller.ts";
import type { WireAnswer } from "../support/raw-caller.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { readStrictly } from "../support/strict-wire.ts";

// Invariant 2: the token goes to the configured origin and nowhere else. Two decoys listen: one
// somewhere, one on another address with Presto's own port. Nobody may even connect to them.

const token = "the-token-that-stays-home";
const path = "/api/institutions/v1/wallet/transaction/T-1";
let presto: RawPresto;
let decoys: readonly Decoy[];
let sidecar: RunningSidecar;
let elsewhere: string;

beforeAll(async () => {
  presto = await startRawPresto();
  decoys = [await startDecoy("127.0.0.1"), await startDecoy("127.0.0.2", presto.port)];
  elsewhere = decoys[0]?.authority ?? "";
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: { PRESTO_TOKEN: token, PRESTO_HOSTS: "presto.internal", PRESTO_LISTEN: "127.0.0.1:0" },
  });
});

afterEach(() => expectOneTokenEach(presto));

afterAll(async () => {
  await sidecar.close();
  await presto.close();
  await Promise.all(decoys.map((decoy) => decoy.close()));
});

/** Every request that came has our token, once, and nothing that looks like another's. */
function expectOneTokenEach(server: RawPresto): void {
  expect(decoys.map((decoy) => decoy.seen())).toEqual([[], []]);
  for (const { fields } of server.wire().flatMap(readStrictly)) {
    const named = fields.filter(([name]) => name.includes("auth"));
    expect(named).toEqual([["authorization", `Bearer ${token}`]]);
    expect(fields.filter(([name]) => name === "host")).toEqual([["host", `localhost:${server.port}`]]);
    expect(JSON.stringify(fields)).not.toMatch(/callers-own/);
  }
}

function ask(target: string, ...lines: readonly string[]): Promise<WireAnswer> {
  const host = lines.some((line) => /^host:/i.test(line)) ? [] : ["Host: localhost"];
  return exchange(sidecar, [`GET ${target} HTTP/1.1`, ...host, ...lines, "", ""].join("\r\n"));
}

async function expectNotSent(target: string, ...lines: readonly string[]): Promise<void> {
  const before = presto.requests.length;
  const answer = await ask(target, ...lines);
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.headers["presto-outcome"]).toBe("not-sent");
  expect(presto.requests).toHaveLength(before);
}

describe("a request target", () => {
  it("in absolute form goes to Presto if it names Presto", async () => {
    for (const url of [
      `http://localhost:${presto.port}`,
      `https://LOCALHOST:${presto.port}`,
      "http://localhost",
    ]) {
      const answer = await ask(`${url}${path}?a=b`);
      expect(answer.status).toBe(200);
      expect(presto.requests.at(-1)?.requestLine).toBe(`GET ${path}?a=b HTTP/1.1`);
    }
  });

  it.each([
    ["another host", () => `http://${elsewhere}${path}`],
    ["another host over TLS", () => `https://${elsewhere}${path}`],
    ["Presto's port on another address", () => `https://127.0.0.2:${presto.port}${path}`],
    ["another port of Presto's host", () => `http://localhost:${elsewhere.split(":")[1]}${path}`],
    ["Presto as a user name", () => `http://localhost:${presto.port}@${elsewhere}${path}`],
    ["Presto as a user name without a port", () => `http://localhost@${elsewhere}${path}`],
    ["another host before a backslash", () => `http://${elsewhere}\\@localhost:${presto.port}${path}`],
    ["Presto's name and more", () => `http://localhost.evil.example:${presto.port}${path}`],
    ["Presto's name with a dot", () => `http://localhost.:${presto.port}${path}`],
    ["Presto's address", () => `http://127.0.0.1:${presto.port}${path}`],
    ["a name of the sidecar's own", () => `http://presto.internal${path}`],
    ["no host", () => `http://${path}`],
    ["another host in a fragment's guise", () => `http://${elsewhere}#@localhost:${presto.port}${path}`],
    ["another host in a query's guise", () => `http://${elsewhere}?@localhost:${presto.port}${path}`],
    ["another scheme", () => `ftp://localhost:${presto.port}${path}`],
    ["a relative scheme", () => `//${elsewhere}${path}`],
    ["a relative scheme with three slashes", () => `///${elsewhere}${path}`],
    ["a relative scheme with backslashes", () => `/\\${elsewhere}${path}`],
    ["an authority alone", () => elsewhere],
    ["a path that leaves itself", () => `/..//${elsewhere}${path}`],
    ["a path with an at sign", () => `@${elsewhere}${path}`],
    ["a scheme in the path", () => `/http://${elsewhere}${path}`],
    ["an encoded scheme in the path", () => `/http:%2f%2f${elsewhere}${path}`],
  ])("that names %s is not sent", async (_what, target) => {
    await expectNotSent(target());
    await expectNotSent(target(), "Host: localhost", `X-Forwarded-Host: ${elsewhere}`);
  });

  it("of CONNECT is no tunnel", async () => {
    const before = presto.connections();
    for (const target of [elsewhere, `localhost:${presto.port}`]) {
      const answer = await exchange(sidecar, `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
      expect([answer.status, answer.headers["presto-outcome"]]).toEqual([400, "not-sent"]);
    }
    expect(presto.connections()).toBe(before);
  });
});

describe("a header field", () => {
  it("of Host with another name is refused, and with a name of ours is made anew", async () => {
    await expectNotSent(path, `Host: ${elsewhere.replace("127.0.0.1", "evil.example")}`);
    await expectNotSent(path, "Host: localhost", `Host: ${elsewhere}`);
    await expectNotSent(path, `Host: localhost@${elsewhere}`);
    await expectNotSent(path, `Host: localhost, ${elsewhere}`);
    for (const host of ["presto.internal", elsewhere, `127.0.0.2:${presto.port}`]) {
      expect((await ask(path, `Host: ${host}`)).status).toBe(200);
    }
  });

  it.each([
    "X-Forwarded-Host",
    "X-Forwarded-Server",
    "X-Forwarded-Proto",
    "X-Forwarded-For",
    "X-Host",
    "X-Original-Host",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-HTTP-Host-Override",
    "X-HTTP-DestinationURL",
    "Forwarded",
    "Proxy",
    "Proxy-Host",
    "Via",
    "X_Forwarded_Host",
    "Http_Host",
  ])("%s moves nothing, and is not passed on", async (name) => {
    for (const value of [elsewhere, `http://${elsewhere}/`, `host=${elsewhere}`, `//${elsewhere}${path}`]) {
      expect((await ask(path, `${name}: ${value}`)).status).toBe(200);
      const [sent] = presto.wire().flatMap(readStrictly).slice(-1);
      expect(sent?.target).toBe(path);
      expect(JSON.stringify(sent?.fields)).not.toContain(elsewhere);
    }
  });

  const own = "Bearer callers-own";
  it.each([
    ["once", [`Authorization: ${own}`]],
    ["in every letter case", [`authorization: ${own}`, `AUTHORIZATION: ${own}`, `AuThOrIzAtIoN: ${own}`]],
    ["empty", ["Authorization:"]],
    ["named by Connection", [`Authorization: ${own}`, "Connection: authorization"]],
    ["not sent, but named by Connection", ["Connection: keep-alive, Authorization, Host, X-Request-Id"]],
    ["not sent, but named by Connection in odd lists", ["Connection: ,,authorization;q=1 ,\tAUTHORIZATION"]],
    ["named by Proxy-Connection", [`Authorization: ${own}`, "Proxy-Connection: authorization"]],
    [
      "with underscores and dashes",
      [`Http_Authorization: ${own}`, `Proxy-Authorization: ${own}`, `Authorization_: ${own}`],
    ],
    ["forwarded", [`X-Forwarded-Authorization: ${own}`, `Proxy-Authenticate: ${own}`]],
    ["as a cookie", ["Cookie: token=callers-own", "Cookie2: callers-own"]],
    ["two hundred times", Array.from({ length: 200 }, () => "Authorization: callers-own")],
  ])("of the caller's own credentials, %s, leaves ours as it is", async (_what, lines) => {
    const before = presto.requests.length;
    expect((await ask(path, ...lines)).status).toBe(200);
    expect(presto.requests).toHaveLength(before + 1);
  });

  it("in a trailer is no header field", async () => {
    const answer = await exchange(
      sidecar,
      [
        "POST /api/institutions/v1/wallet/init HTTP/1.1",
        "Host: localhost",
        "Transfer-Encoding: chunked",
        "Trailer: Authorization, X-Request-Id",
        "",
        "2",
        "{}",
        "0",
        `Authorization: ${own}`,
        "X-Request-Id: callers-own",
        "",
        "",
      ].join("\r\n"),
    );
    expect(answer.status).toBe(200);
    expect(presto.requests.at(-1)?.body.toString()).toBe("{}");
  });
});

describe("the environment's proxies", () => {
  it.each(["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])(
    "%s is not obeyed",
    async (name) => {
      for (const value of [`http://${elsewhere}`, `https://${elsewhere}`, `socks5://${elsewhere}`]) {
        vi.stubEnv(name, value);
        vi.stubEnv("NO_PROXY", "");
        onTestFinished(() => void vi.unstubAllEnvs());
        const another = await startSidecar({
          url: presto.url,
          caPem: presto.authority.certPem,
          env: { PRESTO_TOKEN: token },
        });
        onTestFinished(() => another.close());
        const caller = await openRawCaller(another);
        caller.send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
        expect((await caller.answers(1)).map(({ status }) => status)).toEqual([200]);
        caller.close();
      }
    },
  );

  it("are not obeyed by way of Node either: it does not start", () => {
    const env = { PRESTO_URL: presto.url, PRESTO_TOKEN: token, HTTPS_PROXY: `http://${elsewhere}` };
    expect(() => loadConfig({ ...env, NODE_USE_ENV_PROXY: "1" }, [])).toThrow(/NODE_USE_ENV_PROXY/);
    expect(() => loadConfig({ ...env, NODE_OPTIONS: "--use-env-proxy" }, [])).toThrow(/--use-env-proxy/);
    expect(() => loadConfig(env, ["--use-env-proxy"])).toThrow(/--use-env-proxy/);
  });
});
