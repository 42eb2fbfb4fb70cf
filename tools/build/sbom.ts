/**
 * `npm run sbom`, after the build: dist/sbom.cdx.json, what is bundled into the program, in CycloneDX. Of esbuild's own
 * account of what went in, and not of package-lock.json: most of what is installed never runs.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { bundle } from "./bundle.ts";

const { inputs } = await bundle();
const folder = mkdtempSync(join(tmpdir(), "sbom-"));
try {
  const metafile = join(folder, "metafile.json");
  // Others are made up by the build itself.
  const files = inputs.filter((path) => existsSync(path));
  const used = Object.fromEntries(files.map((path) => [path, { bytesInOutput: 1 }]));
  writeFileSync(metafile, JSON.stringify({ inputs: {}, outputs: { "dist/main.js": { inputs: used } } }));
  execFileSync(
    process.execPath,
    [
      "node_modules/@cyclonedx/cyclonedx-esbuild/bin/cyclonedx-esbuild-cli.js",
      "--output-reproducible",
      "--output-file",
      "dist/sbom.cdx.json",
      metafile,
    ],
    { stdio: ["ignore", "inherit", "pipe"] },
  );
} finally {
  rmSync(folder, { recursive: true });
}
