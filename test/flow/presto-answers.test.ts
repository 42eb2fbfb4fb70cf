import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { exchange } from "../support/raw-caller.ts";
import type { WireAnswer } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { initCall, nextConfirmCall, queryCall } from "../support/wallet-call.ts";

let presto: RawPresto;
let sidecar: RunningSidecar;

beforeAll(async () => {
  presto = await startRawPresto();
  sidecar = await startSidecar({ url: presto.url, caPem: presto.authority.certPem });
});

afterAll(async () => {
  await sidecar.close();
  await presto.close();
});

async function answered(bytes: string, call = queryCall("T1"), by = sidecar): Promise<WireAnswer> {
  presto.answer(({ socket }) => void socket.write(bytes));
  const before = presto.requests.length;
  const answer = await exchange(by, call);
  // What became of a confirm that is not settled by its answer is asked: a GET of its own.
  const sent = presto.requests.slice(before).filter(({ requestLine }) => !requestLine.includes("/N"));
  expect(sent.length).toBe(1);
  expect(answer.headers["presto-outcome"]).toBe("answered");
  expect(answer.headers["proxy-status"]).toBeUndefined();
  expect(answer.headers["x-request-id"]).toBeDefined();
  return answer;
}

describe("Presto's answer is the caller's, and it is asked once:", () => {
  it.each([200, 201, 202, 400, 403, 404, 409, 410, 418, 422, 429, 451, 500, 501, 502, 503, 504, 599])(
    "a %i",
    async (status) => {
      for (const call of [queryCall("T1"), initCall(), nextConfirmCall()]) {
        const answer = await answered(httpAnswer(status, '{"message":"It says so."}'), call);
        expect(answer).toMatchObject({ status, body: '{"message":"It says so."}' });
      }
    },
  );

  it("a 429 with its Retry-After", async () => {
    // It asks for a pause: further queries of the same sidecar would be kept back.
    const by = await startSidecar({ url: presto.url, caPem: presto.authority.certPem });
    onTestFinished(() => by.close());
    const answer = await answered(httpAnswer(429, "{}", ["Retry-After: 17"]), queryCall("T1"), by);
    expect(answer.headers["retry-after"]).toBe("17");
  });

  it("a page of a gateway", async () => {
    const page = "<html><h1>502 Bad Gateway</h1></html>";
    const answer = await answered(httpAnswer(502, page, ["Content-Type: text/html; charset=iso-8859-1"]));
    expect(answer).toMatchObject({ status: 502, body: page });
    expect(answer.headers["content-type"]).toBe("text/html; charset=iso-8859-1");
  });

  it("bytes that are no text", async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    presto.answer(({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`);
      socket.write(bytes);
    });
    const answer = await exchange(sidecar, queryCall("T1"));
    expect(Buffer.from(answer.body, "latin1").equals(bytes)).toBe(true);
    expect(answer.headers["content-type"]).toBeUndefined();
  });

  it.each([204, 304])("a %i, without content and without a length", async (status) => {
    const answer = await answered(`HTTP/1.1 ${status} X\r\nETag: "1"\r\n\r\n`);
    expect(answer.status).toBe(status);
    expect(answer.headers["content-length"]).toBeUndefined();
    expect(answer.headers["transfer-encoding"]).toBeUndefined();
    expect(answer.raw.split("\r\n\r\n")[1]).toBe("");
  });

  it("an empty 200", async () => {
    const answer = await answered("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    expect(answer).toMatchObject({ status: 200, body: "" });
    expect(answer.headers["content-length"]).toBe("0");
  });

  it("a chunked one, which gets a length", async () => {
    const answer = await answered(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    );
    expect(answer).toMatchObject({ status: 200, body: "{}" });
    expect(answer.headers["content-length"]).toBe("2");
    expect(answer.headers["transfer-encoding"]).toBeUndefined();
  });

  it("one after a 103", async () => {
    const answer = await answered(`HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${httpAnswer(200)}`);
    expect(answer).toMatchObject({ status: 200, body: "{}" });
    expect(answer.headers["link"]).toBeUndefined();
  });

  it("one that ends with the connection", async () => {
    presto.answer(({ socket }) => void socket.end("HTTP/1.1 200 OK\r\n\r\nuntil the end"));
    const answer = await exchange(sidecar, queryCall("T1"));
    expect(answer).toMatchObject({ status: 200, body: "until the end" });
  });

  it("a redirect, which is not followed", async () => {
    const answer = await answered(httpAnswer(302, "", ["Location: https://elsewhere.example/"]));
    expect(answer.status).toBe(302);
    expect(answer.headers["location"]).toBeUndefined();
  });
});

describe("the Date", () => {
  it("is Presto's", async () => {
    const date = "Tue, 24 Nov 2026 08:00:00 GMT";
    expect((await answered(httpAnswer(200, "{}", [`Date: ${date}`]))).headers["date"]).toBe(date);
  });

  // RFC 9110 section 6.6.1: whoever forwards a response without a Date adds the time at which it came.
  it("is added where Presto gave none", async () => {
    const { headers } = await answered(httpAnswer(200));
    expect(new Date(headers["date"] ?? "").toUTCString()).toBe(headers["date"]);
  });
});
