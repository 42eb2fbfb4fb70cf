import { describe, expect, it } from "vitest";

import type { Account } from "../../../src/presto/auth.ts";
import { type Accounts, createAccounts } from "../../../src/renewal/accounts.ts";
import { createHandClock } from "../../support/hand-clock.ts";
import { createMemoryCredentials } from "../../support/memory-credentials.ts";

const settleMs = 90_000;

function open(passwords: { readonly password: string; readonly pending?: string }) {
  const credentials = createMemoryCredentials();
  credentials.put(passwords);
  const clock = createHandClock();
  return { clock, credentials, accounts: createAccounts(credentials, { clock, settleMs }) };
}

async function next(accounts: Accounts): Promise<Account> {
  const account = await accounts.next();
  if (account === undefined) throw new Error("every account is refused");
  return account;
}

const password = async (accounts: Accounts) => (await accounts.next())?.password.reveal();

describe("the accounts to ask with", () => {
  it("are the pending password first, then the other, then none", async () => {
    const { accounts } = open({ password: "current", pending: "pending" });
    expect(await password(accounts)).toBe("pending");
    accounts.refused(await next(accounts));
    expect(await password(accounts)).toBe("current");
    accounts.refused(await next(accounts));
    expect(await accounts.next()).toBeUndefined();
  });

  it("are there again when the credentials have changed, not before, and the same password then, too", async () => {
    const { clock, credentials, accounts } = open({ password: "current" });
    accounts.refused(await next(accounts));
    await clock.advance(10 * settleMs);
    expect(await accounts.next()).toBeUndefined();
    credentials.put({ password: "current" });
    expect(await password(accounts)).toBe("current");
  });

  it("are there again when a reset was settled, although Presto refused its password before", async () => {
    const { credentials, accounts } = open({ password: "current", pending: "pending" });
    accounts.refused(await next(accounts));
    credentials.put({ password: "pending" });
    expect(await password(accounts)).toBe("pending");
  });

  it("can't be told where the credentials are not there, or can't be read", async () => {
    const { credentials, accounts } = open({ password: "current" });
    credentials.fail(true);
    await expect(accounts.next()).rejects.toMatchObject({ code: "unreadable" });
    credentials.fail(false);
    credentials.put(undefined);
    await expect(accounts.next()).rejects.toMatchObject({ code: "configuration" });
  });
});

describe("a pending password whose reset may still be executed", () => {
  async function refuseAll() {
    const bench = open({ password: "current", pending: "pending" });
    await next(bench.accounts);
    await bench.clock.advance(10_000);
    for (let count = 0; count < 2; count += 1) bench.accounts.refused(await next(bench.accounts));
    return bench;
  }

  it("may be right later, and is asked with once more when it no longer can be", async () => {
    const { clock, accounts } = await refuseAll();
    expect([await accounts.next(), accounts.mayBeRightLater()]).toEqual([undefined, true]);
    await clock.advance(settleMs - 10_001);
    expect(await accounts.next()).toBeUndefined();
    await clock.advance(1);
    expect(await password(accounts)).toBe("pending");
  });

  it("is refused for good after that", async () => {
    const { clock, accounts } = await refuseAll();
    await clock.advance(settleMs);
    accounts.refused(await next(accounts));
    await clock.advance(10 * settleMs);
    expect([await accounts.next(), accounts.mayBeRightLater()]).toEqual([undefined, false]);
  });

  it("is no reason to hope where there is none", async () => {
    const { accounts } = open({ password: "current" });
    accounts.refused(await next(accounts));
    expect([await accounts.next(), accounts.mayBeRightLater()]).toEqual([undefined, false]);
  });
});

describe("a password that brought a token", () => {
  it("takes the old one's place, if it was pending", async () => {
    const { credentials, accounts } = open({ password: "current", pending: "pending" });
    await accounts.proved(await next(accounts));
    expect(credentials.passwords()).toEqual({ password: "pending", pending: null });
  });

  it("leaves a pending one pending, and first to be tried the next time", async () => {
    const { credentials, accounts } = open({ password: "current", pending: "pending" });
    accounts.refused(await next(accounts));
    await accounts.proved(await next(accounts));
    expect(credentials.passwords()).toEqual({ password: "current", pending: "pending" });
    expect(await password(accounts)).toBe("pending");
  });

  it("does not take the place of one that a person has put there meanwhile", async () => {
    const { credentials, accounts } = open({ password: "current", pending: "pending" });
    const account = await next(accounts);
    credentials.put({ password: "current", pending: "newer" });
    await accounts.proved(account);
    expect(credentials.passwords()).toEqual({ password: "current", pending: "newer" });
  });

  it("is told of as not noted where the credentials can't be written", async () => {
    const { credentials, accounts } = open({ password: "current", pending: "pending" });
    const account = await next(accounts);
    credentials.fail(true);
    await expect(accounts.proved(account)).rejects.toMatchObject({ code: "unreadable" });
  });
});
