/**
 * How the files in dist/parts are loaded, this one apart: with V8's code of their functions, which the build has put
 * beside them, instead of compiling these again at each start. V8 takes it only if it was made by the same version
 * with the same flags, and compiles as ever where it was not. Node's own compile cache would need a folder that can
 * be written, or that was written by the same user on a processor with the same abilities.
 */
// oxlint-disable house/no-hidden-import -- It loads what was judged in src, before it was put together.
// oxlint-disable typescript/no-deprecated -- Node has nothing else by which a file is loaded with its code.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { Script } from "node:vm";

import { codeFile } from "./code-file.ts";

const { extensions } = createRequire(import.meta.filename);
const loadPlainly = extensions[".js"];

extensions[".js"] = (module, filename) => {
  if (dirname(filename) !== import.meta.dirname) {
    loadPlainly(module, filename);
    return;
  }
  // The file is the function that Node would make of it: put together here, its text would be in memory twice.
  const script = new Script(readFileSync(filename, "utf8"), { filename, cachedData: readCode(filename) });
  const run: unknown = script.runInThisContext();
  if (typeof run !== "function") throw new TypeError("A part is a function.");
  const values: readonly unknown[] = [
    module.exports,
    createRequire(filename),
    module,
    filename,
    import.meta.dirname,
  ];
  Reflect.apply(run, module.exports, values);
};

function readCode(filename: string): Buffer | undefined {
  try {
    return readFileSync(codeFile(filename));
  } catch {
    return undefined;
  }
}

/** What is not in dist. A script that is loaded as above can't import by itself without a warning of Node's. */
export function importPackage(name: string): Promise<unknown> {
  return import(name);
}
