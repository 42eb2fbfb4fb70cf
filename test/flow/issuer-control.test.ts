import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { Issuer } from "../../src/presto/auth.ts";
import { createAuthority } from "../../src/sandbox/certificates.ts";
import { Secret } from "../../src/secret.ts";
import { freeControl, openIssuer, requestFor } from "../support/own-calls.ts";
import { httpAnswer, type RawPresto, startRawPresto } from "../support/raw-presto.ts";

const authority = await createAuthority();
const request = requestFor({ email: "fi@bank.example", password: "Pass-w0rd!" });
let presto: RawPresto;
let issuer: Issuer;

beforeEach(async () => {
  presto = await startRawPresto({ authority });
  issuer = openIssuer({ port: presto.port, caPem: authority.certPem });
});
afterEach(() => presto.close());

const allClosed = (): Promise<void> => expect.poll(() => presto.open()).toBe(0);

describe("a call that may not begin", () => {
  it("is asked about once, and then not a byte is written", async () => {
    let asked = 0;
    const control = {
      ...freeControl(),
      mayBegin() {
        asked += 1;
        return false;
      },
    };
    const ends = [
      await issuer.issueToken(request, control),
      await issuer.resetPassword(request.account, new Secret("Another-1"), control),
    ];
    for (const end of ends) expect(end).toMatchObject({ kind: "not-sent", cause: { code: "called-off" } });
    await allClosed();
    expect(asked).toBe(2);
    expect(Buffer.concat(presto.wire())).toHaveLength(0);
  });

  it("is not even asked about while there is no connection", async () => {
    const other = await createAuthority();
    const distrustful = openIssuer({ port: presto.port, caPem: other.certPem });
    const mayBegin = (): boolean => expect.fail("asked");
    const end = await distrustful.issueToken(request, { ...freeControl(), mayBegin });
    expect(end).toMatchObject({ kind: "not-sent", cause: { name: "ConnectError" } });
  });

  it("is not sent either where asking throws", async () => {
    const control = {
      ...freeControl(),
      mayBegin: () => {
        throw new Error("a defect");
      },
    };
    expect(await issuer.issueToken(request, control)).toMatchObject({ kind: "not-sent" });
    await allClosed();
    expect(Buffer.concat(presto.wire())).toHaveLength(0);
  });

  it("is asked once for a call that begins", async () => {
    let asked = 0;
    const mayBegin = (): boolean => {
      asked += 1;
      return true;
    };
    presto.answer(({ socket }) => socket.write(httpAnswer(200, '{"data":{"token":"1|abc"}}')));
    expect(await issuer.issueToken(request, { ...freeControl(), mayBegin })).toMatchObject({
      kind: "issued",
    });
    expect([asked, presto.requests.length]).toEqual([1, 1]);
    await allClosed();
  });
});

describe("a call that is given up", () => {
  it("before it began opens no connection", async () => {
    const control = freeControl();
    control.giveUp();
    const end = await issuer.issueToken(request, control);
    expect(end).toMatchObject({ kind: "not-sent", cause: { code: "given-up" } });
    expect(presto.connections()).toBe(0);
  });

  it("while it waits for its answer is unclear, and its connection is closed", async () => {
    const control = freeControl();
    presto.answer(() => control.giveUp());
    const end = await issuer.issueToken(request, control);
    expect(end).toMatchObject({ kind: "unclear", cause: { code: "given-up" } });
    await allClosed();
    expect(presto.requests).toHaveLength(1);
  });

  it("in the middle of its answer is unclear, though a token was in what came", async () => {
    const control = freeControl();
    const answer = httpAnswer(200, '{"data":{"token":"1|abc"}}   ');
    presto.answer(({ socket }) => socket.write(answer.slice(0, -1), () => control.giveUp()));
    expect(await issuer.issueToken(request, control)).toMatchObject({ kind: "unclear" });
    await allClosed();
  });

  it("while TLS is not up yet was not sent, and its attempt ends", async () => {
    const control = freeControl();
    const { createServer } = await import("node:net");
    let closed = false;
    const silent = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("close", () => {
        closed = true;
      });
      // The client's hello has come, and is never answered.
      socket.once("data", () => control.giveUp());
    });
    await new Promise<void>((resolve) => {
      silent.listen(0, "127.0.0.1", resolve);
    });
    const address = silent.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const stalled = openIssuer({ port, caPem: authority.certPem, connectTimeoutMs: 60_000 });
    const end = await stalled.issueToken(request, control);
    expect(end).toMatchObject({ kind: "not-sent", cause: { code: "given-up" } });
    await expect.poll(() => closed).toBe(true);
    silent.close();
  });

  it("after it has ended changes nothing", async () => {
    const control = freeControl();
    presto.answer(({ socket }) => socket.write(httpAnswer(200, '{"data":{"token":"1|abc"}}')));
    const end = await issuer.issueToken(request, control);
    control.giveUp();
    expect(end).toMatchObject({ kind: "issued" });
  });
});
