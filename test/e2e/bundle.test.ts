import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

import { runCli } from "../support/built-cli.ts";
import { codeReports, reportCode } from "../support/report-code.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const parts = join(repository, "dist/parts");

function textOf(path: string): string {
  return readFileSync(join(repository, path), "utf8");
}

/** `node_modules/fastify` of each package that any file of the build has code of. */
function packagesInside(): readonly string[] {
  const maps = readdirSync(parts).filter((name) => name.endsWith(".map"));
  const sources = maps.flatMap((name): string[] => JSON.parse(textOf(`dist/parts/${name}`)).sources);
  const folders = sources.flatMap(
    (source) => /node_modules\/(?:.*node_modules\/)?(?:@[^/]+\/)?[^/]+(?=\/)/.exec(source)?.[0] ?? [],
  );
  return [...new Set(folders)].toSorted();
}

describe("the built program", () => {
  it("has code of production dependencies alone, and of none that is optional", () => {
    const locked: Record<string, { dev?: boolean; optional?: boolean; version: string }> = JSON.parse(
      textOf("package-lock.json"),
    ).packages;
    const inside = packagesInside();
    expect(inside.length).toBeGreaterThan(20);
    expect(inside.filter((path) => locked[path]?.version === undefined)).toEqual([]);
    expect(inside.filter((path) => locked[path]?.dev === true || locked[path]?.optional === true)).toEqual(
      [],
    );
  });

  it("brings the licence of each of them, by name and version", () => {
    const licences = textOf("dist/THIRD-PARTY-LICENSES.txt");
    for (const path of packagesInside()) {
      const { name, version } = JSON.parse(textOf(`${path}/package.json`));
      expect(licences).toContain(`\n${name} ${version}\n\nLicence: `);
    }
  });

  it("has one undici, and nothing of it that calls by itself", () => {
    const undici = packagesInside().filter((path) => path.endsWith("/undici"));
    expect(undici).toEqual(["node_modules/undici"]);
    const text = readdirSync(parts)
      .map((name) => textOf(`dist/parts/${name}`))
      .join("\n");
    expect(text).toContain("undici/lib/dispatcher/client-h1.js");
    expect(text).not.toMatch(/undici\/lib\/(web\/fetch\/index|mock|interceptor|cache)\b/);
  });

  it("says which place in src a place in it comes from", () => {
    const marked = readdirSync(parts).filter((name) => name.endsWith(".js"));
    const places = marked.flatMap((name) =>
      textOf(`dist/parts/${name}`)
        .split("\n")
        .flatMap((line, index) => {
          const column = line.indexOf("describeDefect(error){");
          return column < 0 ? [] : [`${name}:${index + 1}:${column + 1}`];
        }),
    );
    // In the part of healthcheck, and in that of all others.
    expect(places).toHaveLength(2);
    for (const place of places) {
      const where = execFileSync(
        process.execPath,
        ["tools/build/where.ts", `at x (/app/dist/parts/${place})`],
        { cwd: repository, encoding: "utf8" },
      );
      expect(where).toMatch(/src\/cli\/exit\.ts:\d+:\d+\n$/);
    }
  });

  it.each([
    ["healthcheck", 1, []],
    ["healthcheck", 1, ["--max-semi-space-size=4"]],
    ["status", 10, []],
    ["status", 10, ["--max-semi-space-size=4"]],
  ])(
    "is loaded with the code that V8 made of it at the build: %s, in %i parts and more, by node %j",
    async (command, parts, flags) => {
      const { err } = await runCli([command], {
        nodeArgs: [...flags, ...reportCode],
        env: { PRESTO_ADMIN_LISTEN: "127.0.0.1:1" },
      });
      const loaded = codeReports(err);
      expect(loaded.length).toBeGreaterThanOrEqual(parts);
      expect(new Set(loaded)).toEqual(new Set(["code: taken"]));
    },
  );

  it("is loaded as ever where the code does not fit", async () => {
    const { err } = await runCli(["healthcheck"], {
      nodeArgs: ["--stack-size=900", ...reportCode],
      env: { PRESTO_ADMIN_LISTEN: "127.0.0.1:1" },
    });
    expect(err).toContain("code: rejected");
    expect(err).toContain("No sidecar answers");
  });
});
