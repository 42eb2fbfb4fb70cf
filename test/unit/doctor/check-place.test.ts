import { describe, expect, it } from "vitest";

import { checkFollowing, checkServer } from "../../../src/doctor/check-place.ts";
import { StoreError } from "../../../src/store/contract.ts";
import type { Inspection } from "../../../src/store/inspection.ts";

const now = Date.parse("2026-11-24T12:00:00Z");
const well: Inspection = {
  login: { result: "OK", detail: "It is known." },
  rights: { result: "OK", detail: "It may." },
  object: { result: "OK", detail: "It is there." },
  dated: { date: "Tue, 24 Nov 2026 12:00:00 GMT", sentAt: now, receivedAt: now },
};
const place = { kind: "kubernetes", isRemote: true };

describe("what the doctor makes of what a server says", () => {
  const of = (inspected: Parameters<typeof checkServer>[1]) =>
    checkServer(place, inspected).map(({ check, result }) => `${check} ${result}`);

  it("tells each side of it", () => {
    expect(of({ kind: "done", value: [well] })).toEqual([
      "store-login OK",
      "store-rights OK",
      "store-object OK",
      "store-clock OK",
    ]);
    expect(of({ kind: "done", value: [] })).toEqual(of(undefined));
    expect(of({ kind: "late" }).every((line) => line.endsWith("FAIL"))).toBe(true);
    const away = { kind: "failed", error: new StoreError("unreachable", "It is away.") } as const;
    expect(checkServer(place, away)[0]).toMatchObject({
      result: "SKIP",
      detail: "It could not be asked: It is away.",
    });
  });

  it("takes the worst of the token's place and the account's, and says what each that is as bad says", () => {
    const lacking = (what: string) =>
      ({ result: "FAIL", detail: `It lacks ${what}.`, mend: `Grant ${what}` }) as const;
    const value = [{ ...well, rights: lacking("one") }, { ...well, rights: lacking("another") }, well];
    expect(checkServer(place, { kind: "done", value })[1]).toEqual({
      check: "store-rights",
      result: "FAIL",
      meaning: "refused",
      detail: "It lacks one. It lacks another.",
      mend: "Grant one; and: Grant another",
    });
  });

  it("warns of a clock that is not the server's", () => {
    const dated = { ...well.dated, date: "Tue, 24 Nov 2026 13:00:00 GMT" };
    expect(checkServer(place, { kind: "done", value: [{ ...well, dated }] })[3]).toMatchObject({
      result: "WARN",
      detail: "This machine's clock is 3600 s behind the store server's.",
      mend: expect.stringContaining("NTP"),
    });
  });
});

describe("what the doctor makes of what a sidecar says of its store", () => {
  const state = { watch: "live", last_read_at: new Date(now - 40_000).toISOString(), failure: null };
  const following = (more: object, store = "kubernetes") =>
    checkFollowing(place, { kind: "done", value: { store, store_state: { ...state, ...more } } }, now);

  it("a watch that is alive", () => {
    expect(following({})).toMatchObject({
      result: "OK",
      detail: "The sidecar that runs here has a watch that is alive, and read it 40 s ago.",
    });
  });

  it.each([
    ["no watch", { watch: "down" }, /has no watch.*may watch \(store-rights\)/],
    ["a read that failed", { failure: "the store is\naway" }, /says: The store is away\. See store/],
    [
      "no read for minutes",
      { last_read_at: new Date(now - 200_000).toISOString() },
      /not read it for minutes/,
    ],
    ["no read ever", { last_read_at: null }, /not read it for minutes/],
  ])("%s", (_what, more, says) => {
    const found = following(more);
    expect(found.result).toBe("WARN");
    expect(`${found.detail} ${found.mend}`).toMatch(says);
  });

  it("a store that is polled", () => {
    expect(following({ watch: null })).toMatchObject({
      result: "OK",
      detail: expect.stringContaining("no watch of such a store"),
    });
  });

  it("nothing where no sidecar runs, or one that follows another store", () => {
    expect(following({}, "vault").result).toBe("SKIP");
    expect(checkFollowing(place, { kind: "failed", error: new Error("x") }, now).result).toBe("SKIP");
    expect(checkFollowing({ kind: "file", isRemote: false }, { kind: "late" }, now).result).toBe("SKIP");
  });
});
