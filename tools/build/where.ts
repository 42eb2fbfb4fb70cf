/**
 * `npm run where -- parts/chunk-X.js:1:23456`: the place in src (or in a package) of a place in dist, as a stack or
 * the line of a defect names it. Of the build that lies in dist: its file names change with what is in them.
 */
import { readFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { join } from "node:path";

const [, name = "", line = "", column = ""] =
  /([\w.-]+\.js):(\d+):(\d+)\)?$/.exec(process.argv[2] ?? "") ?? [];
if (name === "") throw new Error("Say which place: npm run where -- chunk-X.js:1:23456");
const file = join("dist", name === "main.js" ? "." : "parts", `${name}.map`);
const map = new SourceMap(JSON.parse(readFileSync(file, "utf8")) as SourceMapPayload);
// A stack counts from 1, a source map from 0.
const origin = map.findOrigin(Number(line), Number(column));
process.stdout.write(
  "fileName" in origin
    ? `${origin.fileName}:${origin.lineNumber}:${origin.columnNumber}\n`
    : "Nothing in src is there.\n",
);
