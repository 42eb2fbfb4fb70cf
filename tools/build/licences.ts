import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

/** The licences of every package that went into the build, by name and version, each with its text. */
export function formatLicences(inputs: readonly string[]): string {
  const folders = new Set(inputs.flatMap((path) => packageFolder(path) ?? []));
  const parts = [...folders].toSorted().map(formatPackage);
  return [
    "This build of presto-sidecar contains code of the packages below, whose licences follow.\n",
    ...parts,
  ].join(`\n${"-".repeat(80)}\n\n`);
}

/** `node_modules/a` of `node_modules/a/lib/b.js`; the innermost of several. */
function packageFolder(path: string): string | undefined {
  return /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path.slice(path.indexOf("node_modules/")))?.[0];
}

function formatPackage(folder: string): string {
  const { name, version, license } = readManifest(folder);
  const files = readdirSync(folder)
    .filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
    .toSorted();
  // A few packages name their licence and hold no text of it: what they name is what there is.
  const texts = files.map((file) => readFileSync(join(folder, file), "utf8").trim());
  return [`${name} ${version}`, `Licence: ${license}`, ...texts].join("\n\n").concat("\n");
}

function readManifest(folder: string): Manifest {
  const manifest: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  if (isManifest(manifest)) return manifest;
  throw new Error(`${folder}/package.json names no licence: the build may not contain it.`);
}

function isManifest(value: unknown): value is Manifest {
  return (
    typeof value === "object" &&
    value !== null &&
    ["name", "version", "license"].every((key) => typeof Reflect.get(value, key) === "string")
  );
}
