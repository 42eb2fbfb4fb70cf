import { afterEach, describe, expect, it, vi } from "vitest";

import type { Warning } from "../../../../src/lib/events.ts";
import { StoreError } from "../../../../src/store/contract.ts";
import { createSecretWatch, type SecretWatch } from "../../../../src/store/kubernetes/watch.ts";
import { RemoteError, type RemoteStream } from "../../../../src/store/remote.ts";
import { createHandClock } from "../../../support/hand-clock.ts";

/** A stream that the test writes by hand. */
interface HandStream extends RemoteStream {
  readonly path: string;
  write(event: object): void;
  end(error?: Error): void;
  isDestroyed(): boolean;
}

describe("watch of a Secret", () => {
  const watches: SecretWatch[] = [];
  afterEach(() => {
    for (const watch of watches.splice(0)) watch.close();
  });

  function bench(options: { readonly open?: (path: string) => Promise<RemoteStream> } = {}) {
    const clock = createHandClock();
    const streams: HandStream[] = [];
    const begun: number[] = [];
    const warnings: Warning[] = [];
    const state = { version: "7", looks: 0, away: false };
    const watch = createSecretWatch({
      path: "/watch?",
      async open(path) {
        begun.push(clock.monotonic());
        if (options.open !== undefined) return options.open(path);
        const stream = handStream(path);
        streams.push(stream);
        return stream;
      },
      async look() {
        state.looks += 1;
        if (state.away) throw new StoreError("unreachable", "away");
        return state.version;
      },
      refusalOf: ({ status }) => new StoreError("refused", `answered ${status}`),
      clock,
      random: () => 0.5,
      emit: (warning) => warnings.push(warning),
    });
    watches.push(watch);
    return { clock, streams, begun, warnings, state, watch };
  }

  function changed(version: string, type = "MODIFIED"): object {
    return { type, object: { metadata: { resourceVersion: version } } };
  }

  async function opened({ clock, streams }: ReturnType<typeof bench>, count: number): Promise<HandStream> {
    await clock.advance(0);
    expect(streams).toHaveLength(count);
    const stream = streams.at(-1);
    if (stream === undefined) throw new Error("no stream");
    return stream;
  }

  it("begins at the version that was read, and looks for none of its own", async () => {
    const all = bench();
    all.watch.noteRead("42");
    all.watch.watch(() => {});
    expect((await opened(all, 1)).path).toBe("/watch?&timeoutSeconds=300&resourceVersion=42");
    expect(all.state.looks).toBe(0);
  });

  it("looks for the version where nothing was read yet, and calls back", async () => {
    const all = bench();
    const told = vi.fn<() => void>();
    all.watch.watch(told);
    expect((await opened(all, 1)).path).toContain("&resourceVersion=7");
    expect(told).toHaveBeenCalledOnce();
  });

  it.each(["ADDED", "MODIFIED", "DELETED"])("calls everybody back after %s", async (type) => {
    const all = bench();
    all.watch.noteRead("1");
    const told = [vi.fn<() => void>(), vi.fn<() => void>()];
    for (const each of told) all.watch.watch(each);
    (await opened(all, 1)).write(changed("8", type));
    await all.clock.advance(0);
    for (const each of told) expect(each).toHaveBeenCalledOnce();
  });

  it("goes on where it was after an end of its own, at the version of the last bookmark", async () => {
    const all = bench();
    all.watch.noteRead("1");
    const told = vi.fn<() => void>();
    all.watch.watch(told);
    const first = await opened(all, 1);
    first.write(changed("90", "BOOKMARK"));
    await all.clock.advance(60_000);
    first.end();
    expect((await opened(all, 2)).path).toContain("&resourceVersion=90");
    expect(told).not.toHaveBeenCalled();
    expect(all.state.looks).toBe(0);
  });

  it.each([
    [
      "an error within the stream",
      (stream: HandStream) => stream.write({ type: "ERROR", object: { code: 410 } }),
    ],
    ["a dropped connection", (stream: HandStream) => stream.end(new RemoteError("broken", "dropped"))],
    ["nonsense", (stream: HandStream) => stream.write({ type: "WHAT" })],
  ])("after %s looks anew, begins there, and calls back if something was missed", async (_, happens) => {
    const all = bench();
    all.watch.noteRead("1");
    const told = vi.fn<() => void>();
    all.watch.watch(told);
    happens(await opened(all, 1));
    all.state.version = "55";
    await all.clock.advance(2_500);
    expect((await opened(all, 2)).path).toContain("&resourceVersion=55");
    expect(told).toHaveBeenCalledOnce();
    expect(all.state.looks).toBe(1);
  });

  it("gives up a stream of which no byte came for 90 s, and no sooner", async () => {
    const all = bench();
    all.watch.noteRead("1");
    all.watch.watch(() => {});
    const silent = await opened(all, 1);
    await all.clock.advance(60_000);
    silent.write(changed("2", "BOOKMARK"));
    await all.clock.advance(89_000);
    expect(silent.isDestroyed()).toBe(false);
    await all.clock.advance(2_000);
    expect(silent.isDestroyed()).toBe(true);
    await opened(all, 2);
  });

  it.each([
    ["ends each at once", async (path: string) => endedStream(path)],
    ["breaks each at once", async (path: string) => endedStream(path, new RemoteError("broken", "x"))],
    ["refuses each", async (path: string) => ({ ...endedStream(path), status: 403 })],
    [
      "can't be reached",
      async () => {
        throw new StoreError("unreachable", "away");
      },
    ],
  ])("begins at most one in two seconds where the server %s", async (_, open) => {
    const all = bench({ open });
    all.watch.watch(() => {});
    await all.clock.advance(120_000);
    const gaps = all.begun.slice(1).map((at, index) => at - (all.begun[index] ?? 0));
    expect(all.begun.length).toBeGreaterThan(10);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(2_000);
  });

  it("is soon back where nothing was ever read, and takes its time where there is a record in hand", async () => {
    for (const [read, leastLooks, mostLooks] of [
      [false, 50, 120],
      [true, 10, 30],
    ] as const) {
      const all = bench();
      if (read) all.watch.noteRead("1");
      all.state.away = true;
      all.watch.watch(() => {});
      if (read) (await opened(all, 1)).end(new RemoteError("broken", "x"));
      await all.clock.advance(60_000);
      expect(all.state.looks).toBeGreaterThan(leastLooks);
      expect(all.state.looks).toBeLessThan(mostLooks);
      all.state.away = false;
      const before = all.streams.length;
      await all.clock.advance(read ? 5_000 : 2_000);
      expect(all.streams.length).toBe(before + 1);
    }
  });

  it("leaves an API server alone for as long as it asks, with some more on top", async () => {
    const all = bench({
      open: async () => {
        throw new StoreError("unreachable", "429");
      },
    });
    all.watch.watch(() => {});
    await all.clock.advance(0);
    all.watch.noteRest(30);
    const before = all.begun.length;
    await all.clock.advance(2_400);
    expect(all.watch.pollMs()).toBeGreaterThan(25_000);
    const tried = all.begun.length;
    await all.clock.advance(20_000);
    expect(tried - before).toBeLessThanOrEqual(1);
    expect(all.begun).toHaveLength(tried);
  });

  it("has itself read seldom while it lives, and as always when it is silent", async () => {
    const all = bench();
    expect(all.watch.pollMs()).toBe(5_000);
    all.watch.noteRead("1");
    all.watch.watch(() => {});
    await opened(all, 1);
    expect(all.watch.pollMs()).toBe(60_000);
    await all.clock.advance(92_000);
    await all.clock.advance(0);
    all.watch.close();
    await all.clock.advance(0);
    expect(all.watch.pollMs()).toBe(5_000);
  });

  it("tells once that there is none, and only where that lasts for a minute", async () => {
    const all = bench({ open: async (path) => ({ ...endedStream(path), status: 403 }) });
    all.watch.watch(() => {});
    await all.clock.advance(50_000);
    expect(all.warnings).toEqual([]);
    await all.clock.advance(120_000);
    expect(all.warnings).toEqual([
      expect.objectContaining({ message: expect.stringContaining("answered 403") }),
    ]);
  });

  it("tells of one that was open and dead, once, and again only after one that lived", async () => {
    const all = bench();
    all.watch.noteRead("1");
    all.watch.watch(() => {});
    await opened(all, 1);
    await all.clock.advance(92_000);
    await opened(all, 2);
    await all.clock.advance(92_000);
    const third = await opened(all, 3);
    expect(all.warnings).toEqual([
      expect.objectContaining({ message: expect.stringContaining("it brought no byte for 90 s") }),
    ]);
    third.write(changed("2", "BOOKMARK"));
    await all.clock.advance(100_000);
    expect(all.warnings).toHaveLength(2);
  });

  it.each([
    ["ends each at once", undefined, "it ends at once"],
    ["breaks each off at once", new RemoteError("broken", "the connection broke"), "the connection broke"],
  ])("tells of a server that %s, where that lasts for a minute", async (_what, error, why) => {
    const all = bench({ open: async (path) => endedStream(path, error) });
    all.watch.watch(() => {});
    await all.clock.advance(50_000);
    expect(all.warnings).toEqual([]);
    await all.clock.advance(60_000);
    expect(all.warnings).toEqual([expect.objectContaining({ message: expect.stringContaining(why) })]);
  });

  it("has the pause until the next read stand still until there was one", async () => {
    const all = bench();
    all.watch.noteRead("1");
    all.watch.watch(() => {});
    await opened(all, 1);
    expect(new Set(Array.from({ length: 20 }, () => all.watch.pollMs())).size).toBe(1);
  });

  it("ends with the last who listens, and begins again with the next", async () => {
    const all = bench();
    all.watch.noteRead("1");
    const ends = [all.watch.watch(() => {}), all.watch.watch(() => {})];
    const first = await opened(all, 1);
    ends[0]?.();
    await all.clock.advance(0);
    expect(first.isDestroyed()).toBe(false);
    ends[1]?.();
    await all.clock.advance(0);
    expect(first.isDestroyed()).toBe(true);
    await all.clock.advance(300_000);
    expect(all.streams).toHaveLength(1);
    all.watch.watch(() => {});
    await opened(all, 2);
  });
});

function handStream(path: string): HandStream {
  const waiting: (Buffer | Error | undefined)[] = [];
  let wake = (): void => {};
  let destroyed = false;
  const push = (item: Buffer | Error | undefined): void => {
    waiting.push(item);
    wake();
  };
  async function* body(): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      while (waiting.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const item = waiting.shift();
      if (item === undefined) return;
      if (item instanceof Error) throw item;
      yield item;
    }
  }
  return {
    path,
    status: 200,
    headers: {},
    body: body(),
    write: (event) => push(Buffer.from(`${JSON.stringify(event)}\n`)),
    end: push,
    destroy() {
      destroyed = true;
      push(new RemoteError("broken", "destroyed"));
    },
    isDestroyed: () => destroyed,
  };
}

function endedStream(path: string, error?: Error): RemoteStream {
  const stream = handStream(path);
  stream.end(error);
  return stream;
}
