/**
 * `npm run build`: dist, the program as it is shipped. Why it is made like this: docs/decisions/bundle.md.
 * `--without-code`: without V8's code, which differs from build to build.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { bundle } from "./bundle.ts";
import { formatLicences } from "./licences.ts";
import { recordCode } from "./record-code.ts";

const { files, inputs } = await bundle();
const all = [
  ...files,
  // The package's own says that its files are ES modules: so is src.
  { path: "package.json", text: '{ "type": "commonjs" }\n' },
  { path: "THIRD-PARTY-LICENSES.txt", text: formatLicences(inputs) },
];
rmSync("dist", { recursive: true, force: true });
for (const { path, text } of all) {
  const file = join("dist", path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
if (!process.argv.includes("--without-code")) await recordCode();
