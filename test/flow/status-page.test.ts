import { connect, createServer } from "node:net";

import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";

import { hasBrowser, showPage } from "../support/browser.ts";
import { exchange } from "../support/raw-caller.ts";
import { rawRequest } from "../support/raw-exchange.ts";
import { type RawPresto, startRawPresto } from "../support/raw-presto.ts";
import { type RunningSidecar, startSidecar } from "../support/running-sidecar.ts";
import { initCall, nextConfirmCall } from "../support/wallet-call.ts";

let presto: RawPresto;
let sidecar: RunningSidecar;

beforeEach(async () => {
  presto = await startRawPresto();
  sidecar = await startSidecar({ url: presto.url, caPem: presto.authority.certPem });
});

afterEach(async () => {
  await sidecar.close();
  await presto.close();
});

const pageNow = (): Promise<string> => rawRequest(sidecar.adminPort, "GET / HTTP/1.1", "Host: localhost");

describe("the status page", () => {
  it("draws the calls of the last hour and the token, and names no transaction", async () => {
    for (let i = 0; i < 3; i += 1) await exchange(sidecar, initCall());
    await exchange(sidecar, "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n");
    presto.answer(({ socket }) => void socket.destroy());
    await exchange(sidecar, nextConfirmCall());
    const page = await pageNow();
    expect(page).toContain(
      "5 calls in the last hour: 3 answered by Presto, 1 not sent, 1 with an unknown outcome.",
    );
    for (const outcome of ["answered", "not-sent", "unknown"])
      expect(page).toMatch(new RegExp(`<rect class="${outcome}" x="[\\d.]+" y="[\\d.]+" width="`));
    expect(page).toMatch(/Half of the calls within [\d.]+ m?s, 99 of 100 within/);
    expect(page).toMatch(/<time datetime="[^"]+">[^<]+<\/time> Generation 0 came into hand/);
    expect(page).not.toContain("token-of-the-tests");
    expect(page).not.toMatch(/TRX|T-\d/);
  });

  it("says that there was no call, and draws nothing that is no number", async () => {
    const page = await pageNow();
    expect(page).toContain("No call in the last hour.");
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
  });
});

/** Passes connections on, and says when the first answer after that was given. */
async function relayTo(port: number) {
  let asked = 0;
  let answered: (() => void) | undefined;
  const server = createServer((socket) => {
    const beyond = connect(port, "127.0.0.1");
    socket.on("data", (bytes) => (asked += bytes.toString("latin1").match(/^GET /gm)?.length ?? 0));
    beyond.on("data", (bytes) => {
      if (!bytes.toString("latin1").includes("</html>")) return;
      answered?.();
      answered = undefined;
    });
    socket.pipe(beyond).pipe(socket);
    socket.on("error", () => beyond.destroy());
    beyond.on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(() => void server.close());
  const address = server.address();
  const own = address !== null && typeof address === "object" ? address.port : 0;
  return {
    url: `http://127.0.0.1:${own}/`,
    asked: () => asked,
    onAnswered: (run: () => void) => void (answered = run),
  };
}

describe.skipIf(!hasBrowser)("the status page in a browser", () => {
  it("obeys its own policy, and shows by itself what is new", { timeout: 90_000 }, async () => {
    const relay = await relayTo(sidecar.adminPort);
    const first = await showPage(relay.url, 1_000);
    expect(first.complaints).toEqual([]);
    expect(first.page).toContain('role="status" class="good">Ready</p>');
    // The page that comes first is of a sidecar that is ready; what comes after it, the script has asked for.
    relay.onAnswered(() => void sidecar.app.drain());
    const { page, complaints } = await showPage(relay.url, 60_000);
    expect(relay.asked()).toBeGreaterThan(3);
    expect(page).toContain('class="bad">Not ready</p>');
    expect(page).toContain("Not ready: draining.");
    expect(complaints).toEqual([]);
  });

  it("runs no script that is not its own", { timeout: 90_000 }, async () => {
    const { page } = await showPage(
      `http://127.0.0.1:${sidecar.adminPort}/?<script>document.title='x'</script>`,
      1_000,
    );
    expect(page).toContain("<title>Ready: presto-sidecar</title>");
  });
});
