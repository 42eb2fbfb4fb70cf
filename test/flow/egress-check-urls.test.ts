import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { type CheckAnswer, createAskAddress } from "../../src/egress-ip/check-url.ts";
import { createAuthority } from "../../src/sandbox/certificates.ts";
import { poolOpener } from "../support/own-calls.ts";
import { httpAnswer, type RawPresto, startRawPresto } from "../support/raw-presto.ts";

let server: RawPresto;

beforeAll(async () => {
  server = await startRawPresto();
});
afterEach(() => server.answer(({ socket }) => void socket.write(httpAnswer(200, "203.0.113.7", []))));
afterAll(() => server.close());

function ask({
  timeoutMs = 5_000,
  caPem = server.authority.certPem,
  port = server.port,
} = {}): Promise<CheckAnswer> {
  const openPool = poolOpener({ port, caPem, pins: [] });
  return createAskAddress({
    name: "ip.example",
    target: "/json?key=1",
    openPool,
    timeoutMs,
    clock: systemClock,
  })();
}

describe("a question to a check URL", () => {
  it("brings an address", async () => {
    server.answer(({ socket }) => void socket.write(httpAnswer(200, '{"ip":"2001:DB8::7"}')));
    expect(await ask()).toMatchObject({ name: "ip.example", address: { text: "2001:db8::7" } });
  });

  it("has no token, cookie or anything else of ours in it", async () => {
    server.answer(({ socket }) => void socket.write(httpAnswer(200, "203.0.113.7", ["Set-Cookie: a=b"])));
    await ask();
    await ask();
    const { requestLine, headerLines, body } = server.requests.at(-1) ?? { headerLines: [], requestLine: "" };
    expect(requestLine).toBe("GET /json?key=1 HTTP/1.1");
    const names = new Set(headerLines.map((line) => line.split(":")[0]?.toLowerCase()));
    expect(names).toEqual(new Set(["accept", "accept-encoding", "connection", "host", "user-agent"]));
    expect(body).toEqual(Buffer.alloc(0));
  });

  it("follows no redirect", async () => {
    const before = server.requests.length;
    server.answer(
      ({ socket }) =>
        void socket.write(
          httpAnswer(302, "203.0.113.7", [`Location: https://localhost:${server.port}/other`]),
        ),
    );
    expect((await ask()).error?.message).toContain("redirect (302)");
    expect(server.requests.length).toBe(before + 1);
  });

  it("tells a page from an address", async () => {
    server.answer(
      ({ socket }) => void socket.write(httpAnswer(200, "<html>203.0.113.7", ["Content-Type: text/html"])),
    );
    expect((await ask()).error?.code).toBe("html");
  });

  it("takes no more than an address needs", async () => {
    server.answer(({ socket }) => void socket.write(httpAnswer(200, `203.0.113.7${" ".repeat(5_000)}`, [])));
    expect((await ask()).error?.code).toBe("too-large");
    server.answer(
      ({ socket }) => void socket.write(httpAnswer(200, `203.0.113.7${" ".repeat(200_000)}`, [])),
    );
    expect((await ask()).error?.code).toBe("too-large");
  });

  it("ends when its time is over", async () => {
    server.answer(() => {});
    const { error } = await ask({ timeoutMs: 200 });
    expect(error).toMatchObject({ code: "no-answer", message: "no answer came within 200 ms" });
  });

  it("ends when the connection breaks, and speaks of nobody else", async () => {
    server.answer(({ socket }) => server.reset(socket));
    const { error } = await ask();
    expect(error?.code).toBe("no-answer");
    expect(error?.message).not.toContain("Presto");
  });

  it("is not asked of who can't prove whom it is", async () => {
    const stranger = await createAuthority();
    const { error } = await ask({ caPem: stranger.certPem });
    expect(error?.code).toBe("no-connection");
    expect(error?.message).toContain("certificate");
  });

  it("says so where nobody listens", async () => {
    const gone = await startRawPresto();
    await gone.close();
    expect((await ask({ port: gone.port })).error).toMatchObject({
      code: "no-connection",
      message: "it could not be reached: connection refused",
    });
  });
});
