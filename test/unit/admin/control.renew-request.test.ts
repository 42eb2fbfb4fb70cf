import { describe, expect, it } from "vitest";

import { readRenewRequest } from "../../../src/admin/control.ts";

describe("a request for a new token", () => {
  it.each([
    ["/renew", false, 30_000],
    ["/renew?", false, 30_000],
    ["/renew?wait=30s", false, 30_000],
    ["/renew?wait=0s", false, 0],
    ["/renew?wait=250ms", false, 250],
    ["/renew?wait=10m", false, 600_000],
    ["/renew?force=1", true, 30_000],
    ["/renew?wait=1s&force=1", true, 1000],
    ["/renew?force=1&wait=1s&", true, 1000],
  ])("%s is read", (target, force, waitMs) => {
    expect(readRenewRequest(target)).toEqual({ ok: true, request: { force, waitMs } });
  });

  it.each([
    ["/renew?force", /leave it out/],
    ["/renew?force=", /leave it out/],
    ["/renew?force=0", /leave it out/],
    ["/renew?force=true", /leave it out/],
    ["/renew?force=1&force=1", /once/],
    ["/renew?wait=1s&wait=2s", /once/],
    ["/renew?wait", /write it like/],
    ["/renew?wait=", /write it like/],
    ["/renew?wait=30", /write it like/],
    ["/renew?wait=-1s", /write it like/],
    ["/renew?wait=1.5s", /write it like/],
    ["/renew?wait=30S", /write it like/],
    ["/renew?wait=30s%20", /write it like/],
    ["/renew?wait=601s", /10m is the most/],
    ["/renew?wait=11m", /10m is the most/],
    [`/renew?wait=${"9".repeat(400)}h`, /10m is the most/],
    ["/renew?forse=1", /force=1 and wait=30s/],
    ["/renew?Force=1", /force=1 and wait=30s/],
    ["/renew?force=1?wait=1s", /leave it out/],
    ["/renew?=", /force=1 and wait=30s/],
    ["/renew?MARKED-77=1", /force=1 and wait=30s/],
  ])("%s is refused, with what to do and without its words", (target, detail) => {
    const reading = readRenewRequest(target);
    expect(reading).toEqual({ ok: false, detail: expect.stringMatching(detail) });
    expect(JSON.stringify(reading)).not.toContain("MARKED");
  });
});
