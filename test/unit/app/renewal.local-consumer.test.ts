import { describe, expect, it } from "vitest";

import { remoteConsumer, localConsumer } from "../../../src/app/renewal.ts";
import { Secret } from "../../../src/secret.ts";
import { createHandClock } from "../../support/hand-clock.ts";
import { follow } from "../../support/renewal-bench.ts";
import { idOf } from "../../support/renewal-cases.ts";
import { issuedToken } from "../../support/scripted-presto.ts";

/** The users of this process over recorded parts; `quiet` is called when no call is being sent any more. */
function openUsers(options: { readonly sends?: boolean; readonly isQuiet?: boolean } = {}) {
  const clock = createHandClock();
  const trail: string[] = [];
  const listeners = new Set<() => void>();
  let readable = true;
  const users = localConsumer({
    tokens: {
      async refresh() {
        trail.push("refresh");
        if (!readable) throw new Error("the store is away");
      },
      setPending: ({ token, generation }) => void trail.push(`offer ${token.reveal()} as ${generation}`),
      discardPending: ({ token }) => void trail.push(`withdraw ${token.reveal()}`),
      probed: (token, verdict) => void trail.push(`probed ${token.reveal()} ${verdict}`),
    },
    health: { issued: (id) => void trail.push(`issued ${id}`) },
    whenQuiet:
      options.sends === false
        ? undefined
        : (run) => {
            if (options.isQuiet === true) run();
            else listeners.add(run);
            return () => void listeners.delete(run);
          },
    clock,
  });
  return {
    clock,
    trail,
    users,
    listeners,
    hide: () => {
      readable = false;
    },
  };
}

describe("the users of the token in this process", () => {
  it("look at the record when it may have changed, and a store that is away is no trouble of the renewal's", async () => {
    const { users, trail, hide } = openUsers();
    await users.noticeRecord();
    hide();
    await users.noticeRecord();
    expect(trail).toEqual(["refresh", "refresh"]);
  });

  it("are given a new token together with the news that it is young", () => {
    const { users, trail, clock } = openUsers();
    users.setPending(issuedToken("token-2", clock.now()), 2);
    expect(trail).toEqual([`issued ${idOf("token-2")}`, "offer token-2 as 2"]);
  });

  it("are told of verdicts, and not of what is no verdict", () => {
    const { users, trail } = openUsers();
    for (const verdict of ["alive", "unclear", "dead"] as const) users.probed(new Secret("token-1"), verdict);
    expect(trail).toEqual(["probed token-1 alive", "probed token-1 dead"]);
  });

  it("give up a token that is dead", () => {
    const { users, trail, clock } = openUsers();
    users.discardPending(issuedToken("token-2", clock.now()));
    expect(trail).toEqual(["withdraw token-2"]);
  });
});

describe("the wait for calls that are being sent", () => {
  it("is none where there are none", async () => {
    const { users } = openUsers({ isQuiet: true });
    await users.quiet(2_000);
  });

  it("ends with the last of them", async () => {
    const { users, clock, listeners } = openUsers();
    const quiet = follow(users.quiet(2_000).then(() => "quiet"));
    await clock.advance(500);
    expect(quiet.now).toBeUndefined();
    for (const run of listeners) run();
    await clock.advance(0);
    expect(quiet.now).toBe("quiet");
  });

  it("ends when its time is over, and leaves nothing behind", async () => {
    const { users, clock, listeners } = openUsers();
    const quiet = follow(users.quiet(2_000).then(() => "quiet"));
    await clock.advance(1_999);
    expect(quiet.now).toBeUndefined();
    await clock.advance(1);
    expect(quiet.now).toBe("quiet");
    expect(listeners.size).toBe(0);
  });

  it.each([
    { name: "a process that sends none", users: () => openUsers({ sends: false }) },
    {
      name: "a command",
      users: () => {
        const clock = createHandClock();
        return { clock, users: remoteConsumer(clock) };
      },
    },
  ])("is the whole time for $name: the others are elsewhere", async ({ users: open }) => {
    const { users, clock } = open();
    const quiet = follow(users.quiet(2_000).then(() => "quiet"));
    await clock.advance(1_999);
    expect(quiet.now).toBeUndefined();
    await clock.advance(1);
    expect(quiet.now).toBe("quiet");
  });
});
