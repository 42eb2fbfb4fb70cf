import { afterEach, describe, expect, it } from "vitest";

import { always, createConsoles, nowhere, runAgainst } from "../../support/stand-in-console.ts";

const consoles = createConsoles();
afterEach(consoles.close);
const { open } = consoles;

describe("drain", () => {
  it("tells the control listener, and waits until no call is under way", async () => {
    const control = await open(always(200, "{}"));
    const calls = [
      { in_flight: 2, queued: 1, under_way: 3 },
      { in_flight: 0, queued: 1, under_way: 1 },
      // Its body still comes.
      { in_flight: 0, queued: 0, under_way: 1 },
      { in_flight: 0, queued: 0, under_way: 0 },
    ];
    const admin = await open((_request, response) => void response.end(JSON.stringify(calls.shift())));
    expect(await runAgainst(["drain"], admin.address, control.address)).toEqual({
      code: 0,
      out: "",
      err: "",
    });
    expect(calls).toEqual([]);
    expect(control.seen).toMatchObject([
      { method: "POST", url: "/drain", headers: { "presto-control": "1", host: control.address } },
    ]);
    expect(control.seen[0]?.headers).not.toHaveProperty("origin");
  });

  it("is done when the sidecar has gone meanwhile", async () => {
    const control = await open(always(200, "{}"));
    expect((await runAgainst(["drain"], await nowhere(), control.address)).code).toBe(0);
  });

  it("ends with 75 when the time ran out", async () => {
    const control = await open(always(200, "{}"));
    const admin = await open(always(200, JSON.stringify({ in_flight: 0, queued: 0, under_way: 1 })));
    const { code, err } = await runAgainst(["drain", "--timeout", "1ms"], admin.address, control.address);
    expect(code).toBe(75);
    expect(err).toContain("1 calls were not done within 1ms");
  });

  it("ends with 1 where the sidecar does not say how many calls are under way", async () => {
    const control = await open(always(200, "{}"));
    expect((await runAgainst(["drain"], (await open(always(200, "{}"))).address, control.address)).code).toBe(
      1,
    );
  });
});

describe("quit", () => {
  it("tells the control listener, and waits until nobody listens any more", async () => {
    const control = await open(always(200, "{}"));
    let asked = 0;
    const admin = await open((_request, response) => {
      response.end("ok");
      asked += 1;
      if (asked === 3) void admin.close();
    });
    expect(await runAgainst(["quit"], admin.address, control.address)).toEqual({ code: 0, out: "", err: "" });
    expect(asked).toBe(3);
    expect(control.seen).toMatchObject([{ method: "POST", url: "/quit" }]);
  });

  it("ends with 75 when it had not gone in time", async () => {
    const control = await open(always(200, "{}"));
    const admin = await open(always(200, "ok"));
    const { code, err } = await runAgainst(["quit", "--timeout", "1ms"], admin.address, control.address);
    expect(code).toBe(75);
    expect(err).toContain("had not gone within 1ms");
  });
});

describe.each(["drain", "quit"])("%s", (command) => {
  it("ends with 69 where nobody answers", async () => {
    const { code, err } = await runAgainst([command], await nowhere(), await nowhere());
    expect(code).toBe(69);
    expect(err).toContain("PRESTO_CONTROL_LISTEN");
  });

  it("ends with 78 where the control listener is off, and says what to do instead", async () => {
    const { code, err } = await runAgainst([command], await nowhere(), "off");
    expect(code).toBe(78);
    expect(err).toContain("SIGTERM");
  });

  it("ends with 77 where the control listener refuses", async () => {
    const control = await open(always(403, "no"));
    expect((await runAgainst([command], await nowhere(), control.address)).code).toBe(77);
  });
});
