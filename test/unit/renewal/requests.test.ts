import { describe, expect, it } from "vitest";

import { createRenewRequests, type TokensInHand } from "../../../src/renewal/requests.ts";
import type { RenewReply, RenewalEnd } from "../../../src/renewal/types.ts";
import { Secret } from "../../../src/secret.ts";
import type { TokenRecord } from "../../../src/store/contract.ts";
import { emptyRecord } from "../../../src/store/record.ts";
import { createHandClock } from "../../support/hand-clock.ts";
import { follow } from "../../support/renewal-bench.ts";
import { idOf } from "../../support/renewal-cases.ts";

const waitMs = 30_000;
const expiresAt = new Date("2027-02-22T00:00:00Z");

function holding(token: string | null, generation = 1): TokenRecord {
  return { ...emptyRecord, generation, expiresAt, token: token === null ? null : new Secret(token) };
}

function openWishes() {
  const clock = createHandClock();
  return { clock, wishes: createRenewRequests({ clock, state: () => "settling" }) };
}

/** This token is in hand and stands in the store, and this process has issued those. */
function having(token: string | null, ...own: string[]): TokensInHand {
  const ids = token === null ? [] : [idOf(token)];
  return { ids, stored: Promise.resolve(ids[0]), isOwn: (id) => own.map(idOf).includes(id) };
}

const renewed: RenewalEnd = { kind: "renewed", tokenId: idOf("token-2"), generation: 2, expiresAt };
const nothing: RenewalEnd = { kind: "nothing-to-do", detail: "not due" };
const unreachable: RenewalEnd = { kind: "unreachable", detail: "no answer" };

describe("a person's wish for a new token", () => {
  it.each<{
    name: string;
    end: RenewalEnd;
    now?: string;
    force?: boolean;
    reply: Partial<RenewReply> | undefined;
    isOver?: boolean;
  }>([
    {
      name: "is fulfilled by a new token",
      end: renewed,
      reply: { kind: "renewed", generation: 2, expiresAt },
    },
    {
      name: "is fulfilled by another process's new token",
      end: nothing,
      now: "token-2",
      reply: { kind: "renewed", generation: 2, expiresAt },
    },
    {
      name: "is answered where its run found nothing to do",
      end: nothing,
      reply: { kind: "unreachable", detail: "not due" },
    },
    {
      name: "is answered where nothing could be reached",
      end: unreachable,
      reply: { kind: "unreachable", detail: "no answer" },
    },
    {
      name: "is answered where Presto refused",
      end: { kind: "refused", credentials: true, detail: "401" },
      reply: { kind: "refused", detail: "401" },
    },
    {
      name: "is answered where the alarm was latched",
      end: { kind: "stopped", detail: "two" },
      reply: { kind: "stopped", detail: "two" },
    },
    {
      name: "stays due where the alarm was latched before it was forced",
      end: { kind: "stopped", detail: "two" },
      force: true,
      reply: undefined,
    },
    {
      name: "stays due where the new token was lost",
      end: { kind: "lost", detail: "dead" },
      reply: undefined,
    },
    {
      name: "is told where it stands when the process ends",
      end: { kind: "shut-down" },
      reply: { kind: "under-way", state: "settling" },
    },
  ])("$name", async ({ end, now, force, reply }) => {
    const { clock, wishes } = openWishes();
    const answer = follow(wishes.add({ force: force ?? false, waitMs }, having("token-1")));
    await clock.advance(0);
    wishes.begun();
    wishes.ended(end, holding(now ?? "token-1", now === undefined ? 1 : 2));
    await clock.advance(0);
    if (reply === undefined) {
      expect(answer.now).toBeUndefined();
      expect(wishes.pending()).toBeDefined();
    } else {
      expect(answer.now).toMatchObject(reply);
      expect(wishes.pending()).toBeUndefined();
    }
  });

  it("names the tokens that were in hand, so that a run can tell whether it is fulfilled", async () => {
    const { clock, wishes } = openWishes();
    void wishes.add({ force: false, waitMs }, having("token-1"));
    await clock.advance(0);
    const said = ["token-1", "token-2"].map((token) => wishes.pending()?.replaces(idOf(token)));
    expect([...said, wishes.pending()?.replaces(undefined)]).toEqual([true, false, true]);
  });

  it("is shared by all who come at the same time, the first one's token counts", async () => {
    const { clock, wishes } = openWishes();
    const answers = [1, 2, 3].map(() => follow(wishes.add({ force: false, waitMs }, having("token-1"))));
    wishes.ended(renewed, holding("token-2", 2));
    await clock.advance(0);
    expect(answers.map(({ now }) => now?.kind)).toEqual(["renewed", "renewed", "renewed"]);
  });

  it("is forced for all if one of them forces it", () => {
    const { wishes } = openWishes();
    void wishes.add({ force: false, waitMs }, having("token-1"));
    void wishes.add({ force: true, waitMs }, having("token-1"));
    void wishes.add({ force: false, waitMs }, having("token-1"));
    expect(wishes.pending()?.force).toBe(true);
  });

  it("is not answered by the failure of a run that did not know of it", async () => {
    for (const end of [unreachable, nothing]) {
      const { clock, wishes } = openWishes();
      const answer = follow(wishes.add({ force: false, waitMs }, having("token-1")));
      wishes.ended(end, holding("token-1"));
      await clock.advance(0);
      expect(answer.now).toBeUndefined();
      expect(wishes.pending()).toBeDefined();
    }
  });

  it("is fulfilled by the success of a run that did not know of it", async () => {
    const { clock, wishes } = openWishes();
    const answer = follow(wishes.add({ force: false, waitMs }, having("token-1")));
    wishes.ended(renewed, holding("token-2", 2));
    await clock.advance(0);
    expect(answer.now).toMatchObject({ kind: "renewed" });
  });

  it("is not fulfilled by the very token that it wants to be rid of", async () => {
    const { clock, wishes } = openWishes();
    const answer = follow(wishes.add({ force: false, waitMs }, having("token-2")));
    wishes.ended(renewed, holding("token-2", 2));
    await clock.advance(0);
    expect(answer.now).toBeUndefined();
    expect(wishes.pending()).toBeDefined();
  });
});

describe("whoever waits for a wish", () => {
  it("is told at its own time that it is under way, and the wish stays due", async () => {
    const { clock, wishes } = openWishes();
    const short = follow(wishes.add({ force: false, waitMs: 1_000 }, having("token-1")));
    const long = follow(wishes.add({ force: false, waitMs }, having("token-1")));
    await clock.advance(999);
    expect(short.now).toBeUndefined();
    await clock.advance(1);
    expect(short.now).toEqual({ kind: "under-way", state: "settling" });
    expect(long.now).toBeUndefined();
    expect(wishes.pending()).toBeDefined();
    wishes.ended(renewed, holding("token-2", 2));
    await clock.advance(0);
    expect(long.now).toMatchObject({ kind: "renewed" });
  });

  it("is told when to come again where nothing could be reached", async () => {
    const { wishes } = openWishes();
    const answer = wishes.add({ force: false, waitMs }, having("token-1"));
    wishes.begun();
    wishes.ended(unreachable, undefined);
    expect(await answer).toMatchObject({ kind: "unreachable", retryAfterMs: 5_000 });
  });

  it("has no part in a wish that comes later", async () => {
    const { clock, wishes } = openWishes();
    const earlier = wishes.add({ force: true, waitMs }, having("token-1"));
    wishes.ended(renewed, holding("token-2", 2));
    await earlier;
    const later = follow(wishes.add({ force: false, waitMs }, having("token-2")));
    expect(wishes.pending()?.force).toBe(false);
    await clock.advance(waitMs);
    expect(later.now).toMatchObject({ kind: "under-way" });
  });
});

describe("a token that was in somebody's hand when the wish came does not fulfil it", () => {
  it("though it is stored after that", async () => {
    const { clock, wishes } = openWishes();
    const inHand = { ids: ["token-1", "token-2"].map(idOf), stored: Promise.resolve(idOf("token-1")) };
    const answer = follow(wishes.add({ force: false, waitMs }, { ...inHand, isOwn: () => true }));
    wishes.ended(renewed, holding("token-2", 2));
    await clock.advance(0);
    expect(answer.now).toBeUndefined();
    expect(wishes.pending()?.replaces(idOf("token-2"))).toBe(true);
    wishes.ended({ ...renewed, tokenId: idOf("token-3"), generation: 3 }, holding("token-3", 3));
    await clock.advance(0);
    expect(answer.now).toMatchObject({ kind: "renewed", generation: 3 });
  });

  it("nor one that another process had stored, as a fresh read finds", async () => {
    const { clock, wishes } = openWishes();
    const stored = Promise.resolve(idOf("token-2"));
    const answer = follow(
      wishes.add({ force: false, waitMs }, { ids: [idOf("token-1")], stored, isOwn: () => false }),
    );
    await clock.advance(0);
    expect(wishes.pending()?.replaces(idOf("token-2"))).toBe(true);
    wishes.ended(nothing, holding("token-2", 2));
    await clock.advance(0);
    expect(answer.now).toBeUndefined();
  });

  it("nor any that is found where the store could not be read", async () => {
    const { clock, wishes } = openWishes();
    const stored = Promise.reject(new Error("away"));
    void wishes.add({ force: false, waitMs }, { ids: [], stored, isOwn: () => false });
    await clock.advance(0);
    expect(wishes.pending()?.replaces(idOf("token-9"))).toBe(true);
  });

  it("but one of our own that the slow read saw, and that was issued since, does", async () => {
    const { clock, wishes } = openWishes();
    const read = Promise.withResolvers<string | undefined>();
    const inHand = {
      ids: [idOf("token-1")],
      stored: read.promise,
      isOwn: (id: string) => id === idOf("token-2"),
    };
    const answer = follow(wishes.add({ force: false, waitMs }, inHand));
    read.resolve(idOf("token-2"));
    await clock.advance(0);
    wishes.ended(renewed, holding("token-2", 2));
    await clock.advance(0);
    expect(answer.now).toMatchObject({ kind: "renewed" });
  });
});

describe("a wish that was told to be under way", () => {
  async function told(count = 1) {
    const { clock, wishes } = openWishes();
    const replies = Array.from({ length: count }, () =>
      follow(wishes.add({ force: false, waitMs: 0 }, having("token-1"))),
    );
    await clock.advance(0);
    expect(replies.map(({ now }) => now?.kind)).toEqual(replies.map(() => "under-way"));
    return { clock, wishes };
  }

  it.each([unreachable, nothing])("stays due where its run ended $kind", async (end) => {
    const { wishes } = await told();
    expect(wishes.isUntried()).toBe(true);
    wishes.begun();
    wishes.ended(end, holding("token-1"));
    expect(wishes.pending()?.replaces(idOf("token-1"))).toBe(true);
    // Its next try comes when the others' does.
    expect(wishes.isUntried()).toBe(false);
    wishes.ended(renewed, holding("token-2", 2));
    expect(wishes.pending()).toBeUndefined();
  });

  it.each<RenewalEnd>([
    { kind: "refused", credentials: false, detail: "429" },
    { kind: "stopped", detail: "two" },
  ])("is over where its run ended $kind", async (end) => {
    const { wishes } = await told();
    wishes.begun();
    wishes.ended(end, holding("token-1"));
    expect(wishes.pending()).toBeUndefined();
  });

  it("is one, however many there were", async () => {
    const { wishes } = await told(500);
    wishes.begun();
    wishes.ended(unreachable, holding("token-1"));
    wishes.ended(renewed, holding("token-2", 2));
    expect(wishes.pending()).toBeUndefined();
  });
});
