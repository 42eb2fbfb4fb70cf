import { describe, expect, it } from "vitest";

import type { ResetEnd } from "../../../src/presto/auth.ts";
import { Secret } from "../../../src/secret.ts";
import type { Credentials } from "../../../src/store/contract.ts";
import type { RequestControl } from "../../../src/upstream/request-once.ts";
import { plain } from "../../support/plain-credentials.ts";
import { createResetBench as bench, type ResetBench, type WriteFate } from "../../support/reset-bench.ts";

const email = new Secret("ops@bank.example");
const old = new Secret("Old-password-1");
const wanted = new Secret("New-password-2");
const idle: Credentials = { email, password: old, pending: null };
const begun: Credentials = { email, password: old, pending: wanted };

const refused = (status: 401 | 422 | 429): ResetEnd => ({ kind: "refused", status, detail: "It said no." });
const unclear: ResetEnd = { kind: "unclear", cause: new Error("reset") };

/** Lets the time of all its pauses pass. */
async function waited<T>(here: ResetBench, reset: Promise<T>): Promise<T> {
  await here.clock.advance(2_000);
  return reset;
}

describe("a password reset", () => {
  it("stores the new password as pending before the call, and promotes it on 200", async () => {
    const here = bench(idle, { kind: "reset" });
    expect(await here.reset(wanted)).toEqual({ kind: "changed", stored: true });
    expect(here.calls).toHaveLength(1);
    expect(here.calls[0]?.storedThen).toEqual(plain(begun));
    expect(here.calls[0]?.account.password.reveal()).toBe(old.reveal());
    expect(here.calls[0]?.newPassword.reveal()).toBe(wanted.reveal());
    expect(here.now()).toEqual(plain({ email, password: wanted, pending: null }));
  });

  it.each([
    ["401", refused(401)],
    ["429", refused(429)],
    ["nothing sent", { kind: "not-sent", cause: undefined }],
    ["an unclear end", unclear],
  ] satisfies [string, ResetEnd][])("keeps both passwords after %s", async (_what, end) => {
    const here = bench(idle, end);
    expect(await here.reset(wanted)).toMatchObject({ kind: end.kind });
    expect(here.now()).toEqual(plain(begun));
  });

  it("drops the pending password on 422, and on nothing else", async () => {
    const here = bench(idle, refused(422));
    expect(await here.reset(wanted)).toMatchObject({ kind: "refused", status: 422, dropped: true });
    expect(here.now()).toEqual(plain(idle));
  });

  it("settles a pending one with the same password again, never with another", async () => {
    const here = bench(begun, { kind: "reset" });
    await expect(here.reset(new Secret("Another-3"))).rejects.toMatchObject({ code: "try-again" });
    expect(here.calls).toEqual([]);
    expect(here.now()).toEqual(plain(begun));
    expect(await here.reset(undefined)).toEqual({ kind: "changed", stored: true });
    expect(here.calls[0]?.account.password.reveal()).toBe(old.reveal());
    expect(here.calls[0]?.newPassword.reveal()).toBe(wanted.reveal());
    expect(here.now()).toEqual(plain({ email, password: wanted, pending: null }));
  });

  it("sends nothing where the earlier one was settled meanwhile", async () => {
    const here = bench(idle, { kind: "reset" });
    await expect(here.reset(undefined)).rejects.toMatchObject({ code: "try-again" });
    expect(here.calls).toEqual([]);
  });

  it("sends nothing without credentials", async () => {
    const here = bench(undefined, { kind: "reset" });
    await expect(here.reset(wanted)).rejects.toMatchObject({ code: "configuration" });
    expect(here.calls).toEqual([]);
  });
});

describe("the write of the pending password", () => {
  it("that fails ends it: nothing is sent", async () => {
    const here = bench(idle, { kind: "reset" }, ["failed"]);
    await expect(here.reset(wanted)).rejects.toThrow("no write");
    expect(here.calls).toEqual([]);
    expect(here.now()).toEqual(plain(idle));
  });

  it("that somebody else came before ends it, and their credentials stay", async () => {
    const theirs = { ...idle, password: new Secret("Theirs-4") };
    const here = bench(idle, { kind: "reset" }, [{ refusedBy: theirs }]);
    await expect(here.reset(wanted)).rejects.toMatchObject({ code: "try-again" });
    expect(here.calls).toEqual([]);
    expect(here.now()).toEqual(plain(theirs));
  });

  it("that was applied without an answer counts: the call is made", async () => {
    const here = bench(idle, { kind: "reset" }, ["lost"]);
    expect(await here.reset(wanted)).toEqual({ kind: "changed", stored: true });
    expect(here.calls).toHaveLength(1);
  });
});

describe("the promotion", () => {
  const promoted = { email, password: wanted, pending: null };

  it.each([
    ["was applied without an answer", ["written", "lost"]],
    ["failed once", ["written", "failed"]],
    ["was refused, because the same was sealed anew meanwhile", ["written", { refusedBy: begun }]],
    ["was done by somebody else", ["written", { refusedBy: promoted }]],
  ] satisfies [string, WriteFate[]][])("that %s ends well", async (_what, fates) => {
    const here = bench(idle, { kind: "reset" }, [...fates]);
    expect(await waited(here, here.reset(wanted))).toEqual({ kind: "changed", stored: true });
    expect(here.now()).toEqual(plain(promoted));
  });

  it("that can't be written leaves the new password pending, and says so", async () => {
    const here = bench(idle, { kind: "reset" }, ["written", "failed", "failed", "failed", "failed"]);
    expect(await waited(here, here.reset(wanted))).toEqual({ kind: "changed", stored: false });
    expect(here.now()).toEqual(plain(begun));
  });

  it("is tried again after a pause, and a longer one after that", async () => {
    const fates: WriteFate[] = ["written", "failed", "failed", "written"];
    const here = bench(idle, { kind: "reset" }, fates);
    const reset = here.reset(wanted);
    await here.clock.advance(74);
    expect(fates).toEqual(["failed", "written"]);
    await here.clock.advance(1);
    expect(fates).toEqual(["written"]);
    await here.clock.advance(149);
    expect(fates).toEqual(["written"]);
    await here.clock.advance(1);
    expect(await reset).toEqual({ kind: "changed", stored: true });
  });

  it("waits for nothing where the command is to end, and is tried all the same", async () => {
    const stop = new AbortController();
    const here = bench(idle, async () => {
      stop.abort();
      return { kind: "reset" };
    }, ["written", "failed", "failed", "written"]);
    expect(await here.reset(wanted, { signal: stop.signal })).toEqual({ kind: "changed", stored: true });
    expect(here.clock.monotonic()).toBe(0);
  });

  it("says so too where the store can't even be read", async () => {
    const here = bench(idle, async () => {
      here.failReads = true;
      return { kind: "reset" };
    });
    expect(await waited(here, here.reset(wanted))).toEqual({ kind: "changed", stored: false });
  });

  it("never goes over credentials that are no longer its own", async () => {
    const theirs = { email, password: new Secret("Theirs-4"), pending: new Secret("Theirs-5") };
    const here = bench(idle, { kind: "reset" }, ["written", { refusedBy: theirs }]);
    expect(await waited(here, here.reset(wanted))).toEqual({ kind: "changed", stored: false });
    expect(here.now()).toEqual(plain(theirs));
  });
});

it("a drop that can't be written is told as not done, and the pending password stays", async () => {
  const here = bench(idle, refused(422), ["written", "failed", "failed", "failed", "failed"]);
  expect(await waited(here, here.reset(wanted))).toMatchObject({ status: 422, dropped: false });
  expect(here.now()).toEqual(plain(begun));
});

describe("the call", () => {
  /** Never answers by itself. */
  const silent = (control: RequestControl): Promise<ResetEnd> =>
    new Promise((resolve) => {
      control.signal.addEventListener("abort", () => resolve(unclear));
    });

  it("is given up after 15 s, and its end is unclear", async () => {
    const here = bench(idle, silent);
    let ended = false;
    const reset = here.reset(wanted).finally(() => (ended = true));
    await here.clock.advance(14_999);
    expect(ended).toBe(false);
    await here.clock.advance(1);
    expect(await reset).toMatchObject({ kind: "unclear" });
    expect(here.now()).toEqual(plain(begun));
  });

  it("is given up when the command is stopped", async () => {
    const stop = new AbortController();
    const here = bench(idle, silent);
    const reset = here.reset(wanted, { signal: stop.signal });
    await here.clock.advance(1);
    stop.abort();
    expect(await reset).toMatchObject({ kind: "unclear" });
    expect(here.now()).toEqual(plain(begun));
  });

  it("asks right before the first byte whether the lock is still held", async () => {
    let asked: boolean | undefined;
    const here = bench(idle, async (control) => {
      asked = control.mayBegin();
      return { kind: "not-sent", cause: undefined };
    });
    await here.reset(wanted, { mayBegin: () => false });
    expect(asked).toBe(false);
  });
});
