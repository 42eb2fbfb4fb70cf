import { describe, expect, it } from "vitest";

import { Secret } from "../../../src/secret.ts";
import { emptyRecord } from "../../../src/store/record.ts";
import { createActiveToken } from "../../../src/token/active.ts";

function open() {
  const changes: number[] = [];
  const refused = new Set<string>();
  const hand = createActiveToken({
    emit: ({ generation }) => void changes.push(generation),
    rejections: { has: (id) => refused.has(id) },
  });
  return {
    hand,
    changes,
    text: () => hand.current()?.secret.reveal(),
    store: (token: string | null, generation = 1) =>
      hand.stored({ ...emptyRecord, generation, token: token === null ? null : new Secret(token) }),
    offer: (token: string, generation = 2) =>
      hand.setPending({ token: new Secret(token), generation, expiresAt: null }),
    withdraw: (token: string) => hand.discardPending(new Secret(token).fingerprint()),
    refuse(token: string) {
      refused.add(new Secret(token).fingerprint());
      hand.chooseAgain();
    },
  };
}

describe("the token in hand", () => {
  it("is the stored one, and stays so when the record loses it", () => {
    const bench = open();
    expect(bench.text()).toBeUndefined();
    bench.store("token-1");
    bench.store(null);
    expect(bench.text()).toBe("token-1");
    expect(bench.changes).toEqual([1]);
  });

  it("is one that is pending before it is stored: every other is dead", () => {
    const bench = open();
    bench.store("token-1");
    bench.offer("token-2");
    expect(bench.text()).toBe("token-2");
    expect(bench.hand.isPending()).toBe(true);
    // The record with the intent, read once more, changes nothing.
    bench.store("token-1");
    expect(bench.text()).toBe("token-2");
    expect(bench.changes).toEqual([1, 2]);
  });

  it("is told of once, although it is pending first and stored then", () => {
    const bench = open();
    bench.store("token-1");
    bench.offer("token-2");
    bench.store("token-2", 2);
    expect(bench.text()).toBe("token-2");
    expect(bench.hand.isPending()).toBe(false);
    expect(bench.changes).toEqual([1, 2]);
  });

  it("is the stored one again when the pending one is dead", () => {
    const bench = open();
    bench.store("token-1");
    bench.offer("token-2");
    bench.store("token-x", 3);
    bench.withdraw("token-0");
    expect(bench.text()).toBe("token-2");
    bench.withdraw("token-2");
    expect(bench.text()).toBe("token-x");
  });

  it("is none when the pending one is dead and none was stored", () => {
    const bench = open();
    bench.offer("token-1");
    bench.withdraw("token-1");
    expect(bench.text()).toBeUndefined();
  });

  it("is another's stored one as soon as the pending one is refused, and not before", () => {
    const bench = open();
    bench.store("token-1");
    bench.offer("token-2");
    bench.store("token-x", 3);
    expect(bench.text()).toBe("token-2");
    bench.refuse("token-2");
    expect(bench.text()).toBe("token-x");
    expect(bench.hand.isPending()).toBe(false);
    bench.refuse("token-x");
    expect(bench.text()).toBe("token-2");
  });

  it("is not the one that the pending one has killed, although a 401 came to the young one", () => {
    const bench = open();
    bench.store("token-1");
    bench.offer("token-2");
    bench.refuse("token-2");
    expect(bench.text()).toBe("token-2");
  });
});
