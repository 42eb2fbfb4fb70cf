/**
 * Loaded before the program, by the build: writes V8's code of every part that was loaded, with the functions that
 * have run by then, at SIGUSR2 and when the process ends. See load-parts.ts.
 */
import { existsSync, writeFileSync } from "node:fs";
import vm, { type ScriptOptions } from "node:vm";

import { codeFile } from "./code-file.ts";

const scripts = new Map<string, vm.Script>();

vm.Script = class extends vm.Script {
  constructor(text: string, options?: ScriptOptions | string) {
    super(text, options);
    if (typeof options === "object" && options.filename !== undefined) scripts.set(options.filename, this);
  }
};

process.on("SIGUSR2", () => process.exit(0));
process.on("exit", () => {
  for (const [filename, script] of scripts) {
    const file = codeFile(filename);
    if (!existsSync(file)) writeFileSync(file, script.createCachedData());
  }
});
