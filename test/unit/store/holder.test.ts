import { hostname } from "node:os";

import { describe, expect, it } from "vitest";

import { describeHolder, holderName } from "../../../src/store/holder.ts";

const id = "0f8fad5b-d9cb-469f-a165-70867728950e";
const other = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
const mine = holderName({ namespace: "presto", name: "rotator-a" }, id);

describe("the name of who holds a lock", () => {
  it("is the Pod's, or the host's, with a UUID behind it", () => {
    expect(mine).toBe(`presto/rotator-a_${id}`);
    expect(holderName(undefined, id)).toBe(`${hostname()}_${id}`);
  });

  it("tells people which Pod it is, also out of a longer text", () => {
    const pod = { namespace: "presto", name: "rotator-b" };
    const name = holderName(pod, other);
    for (const text of [name, `Lease presto/token of ${name}`])
      expect(describeHolder(text, mine)).toEqual({ words: "The Pod presto/rotator-b", pod });
  });

  it("names no Pod where it is this one, or none", () => {
    const here = holderName({ namespace: "presto", name: "rotator-a" }, other);
    expect(describeHolder(here, mine)).toEqual({ words: "Another process in this Pod", pod: undefined });
    expect(describeHolder(`web-1_${other}`, mine)).toEqual({ words: "A process on web-1", pod: undefined });
    // A Pod whose name only begins like this one's is another.
    expect(describeHolder(`presto/rotator-a-2_${other}`, mine).pod).toMatchObject({ name: "rotator-a-2" });
  });

  it("says that a name is none of ours, and repeats nothing odd", () => {
    expect(describeHolder("coredns", mine).words).toBe('"coredns", which is no presto-sidecar,');
    for (const odd of [undefined, "", "\u001b[2J", "x".repeat(300), "two\nlines"])
      expect(describeHolder(odd, mine)).toEqual({ words: "Somebody", pod: undefined });
  });
});
