import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";
import { parse } from "yaml";

const root = fileURLToPath(new URL("..", import.meta.url));

function textOf(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

const { version, license, ["private"]: isPrivate } = JSON.parse(textOf("package.json"));
const headings = textOf("CHANGELOG.md")
  .split("\n")
  .filter((line) => line.startsWith("## "));
const released = headings.filter((heading) => heading !== "## Unreleased");

/** As semver.org orders them; none of ours has a pre-release. */
function isNewer(one: string, other: string): boolean {
  const [left, right] = [one, other].map((text) => text.split(".").map(Number));
  const index = left?.findIndex((part, at) => part !== right?.[at]) ?? -1;
  return (left?.[index] ?? 0) > (right?.[index] ?? 0);
}

describe("a release", () => {
  it("has one version in the package, its lock, the chart and the changelog", () => {
    const lock = JSON.parse(textOf("package-lock.json"));
    const chart = parse(textOf("helm/presto-sidecar/Chart.yaml"));
    const newest = /^## (\S+) /.exec(released[0] ?? "")?.[1];
    expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    expect([lock.version, lock.packages[""].version, chart.version, chart.appVersion, newest]).toEqual(
      Array.from({ length: 5 }, () => version),
    );
  });

  it("stands in the changelog by number and day, the newest first, below what is not released", () => {
    expect(headings[0]).toBe("## Unreleased");
    for (const heading of released) expect(heading).toMatch(/^## \d+\.\d+\.\d+ \(20\d\d-[01]\d-[0-3]\d\)$/);
    const versions = released.map((heading) => heading.split(" ")[1] ?? "");
    for (const [at, one] of versions.slice(1).entries()) expect(isNewer(versions[at] ?? "", one)).toBe(true);
  });

  it("is nobody's but its owner's", () => {
    expect([license, isPrivate]).toEqual(["UNLICENSED", true]);
    expect(textOf("LICENSE")).toContain("All rights reserved.");
  });
});
