import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { startDecoy } from "../support/decoy.ts";
import type { Decoy } from "../support/decoy.ts";
import { exchange } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";

// Invariant 2, second part: no answer of Presto's moves the token or the caller to another origin.

const path = "/api/institutions/v1/wallet/transaction/T-1";
let presto: RawPresto;
let decoys: readonly Decoy[];
let sidecar: RunningSidecar;
let elsewhere: string;

beforeAll(async () => {
  presto = await startRawPresto();
  decoys = [await startDecoy("127.0.0.1"), await startDecoy("127.0.0.2", presto.port)];
  elsewhere = decoys[0]?.authority ?? "";
  sidecar = await startSidecar({ url: presto.url, caPem: presto.authority.certPem });
});

afterAll(async () => {
  await sidecar.close();
  await presto.close();
  await Promise.all(decoys.map((decoy) => decoy.close()));
});

describe("a redirect of Presto's", () => {
  it.each([300, 301, 302, 303, 305, 307, 308])(
    "with status %i is answered, and not followed",
    async (status) => {
      const ours = `https://localhost:${presto.port}`;
      for (const [given, seen] of [
        [`http://${elsewhere}/`, undefined],
        [`https://127.0.0.2:${presto.port}${path}`, undefined],
        [`//${elsewhere}${path}`, undefined],
        [`\\\\${elsewhere}`, undefined],
        [`/\\${elsewhere}`, undefined],
        [`https:${elsewhere}`, undefined],
        [`${ours}@${elsewhere}/`, undefined],
        [`${ours}.evil.example/`, undefined],
        [`http://localhost:${presto.port}${path}`, undefined],
        [`${ours}/elsewhere?a=b`, "/elsewhere?a=b"],
        ["/elsewhere", "/elsewhere"],
      ] as const) {
        const before = presto.requests.length;
        presto.answer((request) =>
          request.socket.write(
            httpAnswer(status, "", [
              `Location: ${given}`,
              `Content-Location: ${given}`,
              `Refresh: 0; url=${given}`,
              `Alt-Svc: h2="${elsewhere}"`,
            ]),
          ),
        );
        const answer = await exchange(sidecar, `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
        expect([answer.status, answer.headers["presto-outcome"]]).toEqual([status, "answered"]);
        expect(answer.headers["location"]).toBe(seen);
        expect(answer.headers["content-location"]).toBe(seen);
        expect(answer.raw).not.toMatch(/refresh|alt-svc/i);
        expect(presto.requests).toHaveLength(before + 1);
      }
    },
  );
});
