import { describe, expect, it } from "vitest";

import { emptyRecord } from "../../../src/renewal/run.ts";
import { createRenewRequests } from "../../../src/renewal/triggers.ts";
import type { RenewReply, RenewalEnd } from "../../../src/renewal/types.ts";
import { Secret } from "../../../src/secret.ts";
import type { TokenRecord } from "../../../src/store/contract.ts";
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
    const answer = follow(wishes.add({ force: force ?? false, waitMs }, holding("token-1")));
    const of = wishes.pending();
    wishes.ended(end, of, holding(now ?? "token-1", now === undefined ? 1 : 2));
    await clock.advance(0);
    if (reply === undefined) {
      expect(answer.now).toBeUndefined();
      expect(wishes.pending()).toBe(of);
    } else {
      expect(answer.now).toMatchObject(reply);
      expect(wishes.pending()).toBeUndefined();
    }
  });

  it("names the token that was in hand, or none, so that a run can tell whether it is fulfilled", () => {
    for (const [record, replacing] of [
      [holding("token-1"), idOf("token-1")],
      [holding(null)],
      [undefined],
    ] as const) {
      const { wishes } = openWishes();
      void wishes.add({ force: false, waitMs }, record);
      expect(wishes.pending()).toEqual({ replacing, force: false });
    }
  });

  it("is shared by all who come at the same time, the first one's token counts", async () => {
    const { clock, wishes } = openWishes();
    const answers = [1, 2, 3].map(() => follow(wishes.add({ force: false, waitMs }, holding("token-1"))));
    const of = wishes.pending();
    wishes.ended(renewed, of, holding("token-2", 2));
    await clock.advance(0);
    expect(answers.map(({ now }) => now?.kind)).toEqual(["renewed", "renewed", "renewed"]);
  });

  it("is forced for all if one of them forces it", () => {
    const { wishes } = openWishes();
    void wishes.add({ force: false, waitMs }, holding("token-1"));
    void wishes.add({ force: true, waitMs }, holding("token-1"));
    void wishes.add({ force: false, waitMs }, holding("token-1"));
    expect(wishes.pending()).toEqual({ replacing: idOf("token-1"), force: true });
  });

  it("is not answered by the failure of a run that did not know of it", async () => {
    for (const end of [unreachable, nothing]) {
      const { clock, wishes } = openWishes();
      const answer = follow(wishes.add({ force: false, waitMs }, holding("token-1")));
      wishes.ended(end, undefined, holding("token-1"));
      await clock.advance(0);
      expect(answer.now).toBeUndefined();
      expect(wishes.pending()).toBeDefined();
    }
  });

  it("is fulfilled by the success of a run that did not know of it", async () => {
    const { clock, wishes } = openWishes();
    const answer = follow(wishes.add({ force: false, waitMs }, holding("token-1")));
    wishes.ended(renewed, undefined, holding("token-2", 2));
    await clock.advance(0);
    expect(answer.now).toMatchObject({ kind: "renewed" });
  });

  it("is not fulfilled by the very token that it wants to be rid of", async () => {
    const { clock, wishes } = openWishes();
    const answer = follow(wishes.add({ force: false, waitMs }, holding("token-2", 2)));
    wishes.ended(renewed, undefined, holding("token-2", 2));
    await clock.advance(0);
    expect(answer.now).toBeUndefined();
    expect(wishes.pending()).toBeDefined();
  });
});

describe("whoever waits for a wish", () => {
  it("is told at its own time that it is under way, and the wish stays due", async () => {
    const { clock, wishes } = openWishes();
    const short = follow(wishes.add({ force: false, waitMs: 1_000 }, holding("token-1")));
    const long = follow(wishes.add({ force: false, waitMs }, holding("token-1")));
    await clock.advance(999);
    expect(short.now).toBeUndefined();
    await clock.advance(1);
    expect(short.now).toEqual({ kind: "under-way", state: "settling" });
    expect(long.now).toBeUndefined();
    expect(wishes.pending()).toBeDefined();
    wishes.ended(renewed, wishes.pending(), holding("token-2", 2));
    await clock.advance(0);
    expect(long.now).toMatchObject({ kind: "renewed" });
  });

  it("is told when to come again where nothing could be reached", async () => {
    const { wishes } = openWishes();
    const answer = wishes.add({ force: false, waitMs }, holding("token-1"));
    wishes.ended(unreachable, wishes.pending(), undefined);
    expect(await answer).toMatchObject({ kind: "unreachable", retryAfterMs: 5_000 });
  });

  it("has no part in a wish that comes later", async () => {
    const { clock, wishes } = openWishes();
    const earlier = wishes.add({ force: true, waitMs }, holding("token-1"));
    wishes.ended(renewed, wishes.pending(), holding("token-2", 2));
    await earlier;
    const later = follow(wishes.add({ force: false, waitMs }, holding("token-2", 2)));
    expect(wishes.pending()).toEqual({ replacing: idOf("token-2"), force: false });
    await clock.advance(waitMs);
    expect(later.now).toMatchObject({ kind: "under-way" });
  });
});
