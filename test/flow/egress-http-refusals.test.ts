import { describe, expect, it, onTestFinished } from "vitest";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import { connectProxy, startGateway } from "../support/loopback-gateway.ts";
import type { GatewayScript, LoopbackGateway } from "../support/loopback-gateway.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import { connectBy, failureOf, openWay } from "../support/way-out.ts";

const authority = await createAuthority();
const opened = "HTTP/1.1 200 Connection established\r\n\r\n";

async function start(script: GatewayScript): Promise<LoopbackGateway> {
  const gateway = await startGateway(script);
  onTestFinished(() => gateway.close());
  return gateway;
}

const base = { host: "presto.invalid", port: 443, caPem: authority.certPem };

const answerOf = (line: string): GatewayScript => connectProxy(`${line}\r\nContent-Length: 3\r\n\r\nno\n`);

describe("a refusal", () => {
  it.each([
    [
      "HTTP/1.1 407 X",
      /asks for a user and a password, and PRESTO_EGRESS_PROXY has none \(407\)/,
      "proxy_configuration_error",
    ],
    ["HTTP/1.1 403 X", /does not let us connect to Presto \(403\)/, "destination_ip_prohibited"],
    ["HTTP/1.1 502 X", /could not reach Presto \(502\)/, "destination_unavailable"],
    ["HTTP/1.1 503 X", /could not reach Presto \(503\)/, "destination_unavailable"],
    ["HTTP/1.1 504 X", /could not reach Presto in time \(504\)/, "connection_timeout"],
    ["HTTP/1.1 405 X", /does not know CONNECT \(405\)/, "proxy_configuration_error"],
    ["HTTP/1.0 501 X", /does not know CONNECT \(501\)/, "proxy_configuration_error"],
    ["HTTP/1.1 302 X", /refused to open a tunnel \(302\)/, "http_request_denied"],
    ["HTTP/1.1 451 X", /refused to open a tunnel \(451\)/, "http_request_denied"],
    ["HTTP/1.1 500 X", /refused to open a tunnel \(500\)/, "destination_unavailable"],
  ])("%s is told as what it is", async (line, message, proxyStatus) => {
    const gateway = await start(answerOf(line));
    const { connector } = await openWay({ ...base, proxy: `http://127.0.0.1:${gateway.port}` });
    const failure = await failureOf(connector);
    expect(failure).toMatchObject({ kind: "unreachable", place: "egress-proxy", proxyStatus });
    expect(failure.message).toMatch(message);
    expect(failure.message).toMatch(/^the egress proxy /);
  });

  it.each([407, 401])(
    "%i with a user and a password says that they are wrong, and shows neither",
    async (status) => {
      const gateway = await start(answerOf(`HTTP/1.1 ${status} X`));
      const { connector } = await openWay({
        ...base,
        proxy: `http://MARKED:MARKED@127.0.0.1:${gateway.port}`,
      });
      const failure = await failureOf(connector);
      expect(failure.message).toBe(
        `the egress proxy refused the user and password of PRESTO_EGRESS_PROXY (${status})`,
      );
    },
  );
});

describe("a 407 that offers no Basic authentication", () => {
  it.each([
    [["Negotiate", "NTLM"], "Negotiate, NTLM"],
    [["Negotiate, NTLM"], "Negotiate, NTLM"],
    [['Digest realm="a, Basic b", nonce="c", qop="auth"'], "Digest"],
    [["Negotiate YII="], "Negotiate"],
  ])("says what it offers: %j", async (values, schemes) => {
    const lines = values.map((value) => `Proxy-Authenticate: ${value}\r\n`).join("");
    const gateway = await start(connectProxy(`HTTP/1.1 407 X\r\n${lines}Content-Length: 0\r\n\r\n`));
    for (const login of ["", "MARKED:MARKED@"]) {
      const { connector } = await openWay({ ...base, proxy: `http://${login}127.0.0.1:${gateway.port}` });
      expect(await failureOf(connector)).toMatchObject({
        proxyStatus: "proxy_configuration_error",
        message: `the egress proxy offers no Basic authentication, which is all that is spoken here, but ${schemes} (407)`,
      });
    }
  });

  it.each([
    ["Negotiate", 'Basic realm="x"'],
    ['NTLM, basic realm="x"'],
    ['Digest realm="x", Basic realm="y"'],
  ])("is another thing than one that offers it, too: %s", async (...values) => {
    const lines = values.map((value) => `proxy-authenticate: ${value}\r\n`).join("");
    const gateway = await start(connectProxy(`HTTP/1.1 407 X\r\n${lines}\r\n`));
    const { connector } = await openWay({ ...base, proxy: `http://MARKED:MARKED@127.0.0.1:${gateway.port}` });
    expect((await failureOf(connector)).message).toMatch(/refused the user and password/);
  });
});

describe("an answer whose lines end with LF alone", () => {
  it("is read as one", async () => {
    const gateway = await start(connectProxy("HTTP/1.1 403 X\nVia: x\n\n"));
    const { connector } = await openWay({ ...base, proxy: `http://127.0.0.1:${gateway.port}` });
    expect((await failureOf(connector)).message).toMatch(/does not let us connect to Presto \(403\)/);
  });

  it("opens a tunnel, over which nothing is lost", async () => {
    const presto = await startRawPresto({
      authority,
      certificate: await authority.issue({ names: ["presto.invalid"] }),
    });
    onTestFinished(() => presto.close());
    const gateway = await start(
      connectProxy("HTTP/1.1 100 X\r\n\r\nHTTP/1.0 200 OK\nVia: x\n\n", presto.port),
    );
    const { connector } = await openWay({ ...base, proxy: `http://127.0.0.1:${gateway.port}` });
    expect((await connectBy(connector)).authorized).toBe(true);
  });

  it.each([
    "HTTP/1.1 200 X\r\n\n",
    "HTTP/1.1 200 X\r\nVia: x\n\r\n",
    "HTTP/1.1 200 X\r\nVia: x\n",
    "HTTP/1.1 200 X\nVia: x\r\n\r\n",
  ])("in part is refused at once: %j", async (answer) => {
    const gateway = await start(connectProxy(answer));
    const { connector } = await openWay({ ...base, proxy: `http://127.0.0.1:${gateway.port}` });
    expect((await failureOf(connector)).message).toMatch(/some of its lines end with LF alone/);
  });
});

describe("an answer that is none", () => {
  const malformed = { kind: "unreachable", place: "egress-proxy", proxyStatus: "http_protocol_error" };

  it.each([
    ["another protocol's greeting", "SSH-2.0-OpenSSH_9.2\r\n"],
    ["a TLS alert", Buffer.from([21, 3, 1, 0, 2, 2, 40])],
    ["a page without a status line", "<html>\r\n\r\n"],
    ["HTTP/2", "HTTP/2 200\r\n\r\n"],
    ["a status of four digits", "HTTP/1.1 2000 X\r\n\r\n"],
    ["a status of one", "HTTP/1.1 2\r\n\r\n"],
    ["Switching Protocols", "HTTP/1.1 101 X\r\n\r\n"],
    ["a field without a name", "HTTP/1.1 200 X\r\n: x\r\n\r\n"],
    ["a folded field", "HTTP/1.1 200 X\r\na: b\r\n c\r\n\r\n"],
    ["a bare line feed in a field", "HTTP/1.1 200 X\r\na: b\nc: d\r\n\r\n"],
    ["a NUL", "HTTP/1.1 200 X\r\na: \0\r\n\r\n"],
    ["a head without an end", `HTTP/1.1 200 X\r\n${"a: b\r\n".repeat(2000)}`],
    ["a head of more than 8 KiB", `HTTP/1.1 200 X\r\na: ${"b".repeat(8192)}\r\n\r\n`],
    ["interim answers without an end", "HTTP/1.1 100 X\r\n\r\n".repeat(1000)],
    ["bytes behind the head of a success", `${opened}x`],
  ])("%s", async (_what, answer) => {
    const gateway = await start(connectProxy(answer));
    const { connector } = await openWay({ ...base, proxy: `http://127.0.0.1:${gateway.port}` });
    expect(await failureOf(connector)).toMatchObject(malformed);
  });

  it.each([
    ["closed before", (client) => client.end()],
    ["closed in the middle", (client) => client.end("HTTP/1.1 200 X\r\n")],
    ["reset", (client) => client.resetAndDestroy()],
  ] satisfies (readonly [string, GatewayScript])[])("a connection that is %s", async (_what, finish) => {
    const gateway = await start((client) => void client.once("data", () => finish(client)));
    const { connector } = await openWay({ ...base, proxy: `http://127.0.0.1:${gateway.port}` });
    expect(await failureOf(connector)).toMatchObject({
      kind: "unreachable",
      place: "egress-proxy",
      proxyStatus: "connection_terminated",
      message: "the egress proxy closed the connection before it had answered",
    });
  });

  it("silence: time is over, and it is said what was waited for", async () => {
    const gateway = await start(() => {});
    const { connector } = await openWay({
      ...base,
      proxy: `http://127.0.0.1:${gateway.port}`,
      timeoutMs: 600,
    });
    expect(await failureOf(connector)).toMatchObject({
      kind: "timeout",
      place: "egress-proxy",
      proxyStatus: "connection_timeout",
      message: "not connected within 600 ms: the egress proxy did not answer CONNECT",
    });
    // The connection to it is given up as well.
    await expect.poll(() => gateway.open()).toBe(0);
  });

  it("nobody there", async () => {
    const gateway = await start(() => {});
    await gateway.close();
    const { connector } = await openWay({ ...base, proxy: `http://127.0.0.1:${gateway.port}` });
    expect(await failureOf(connector)).toMatchObject({
      kind: "unreachable",
      place: "egress-proxy",
      message: "on the way to the egress proxy: connection refused",
    });
  });
});
