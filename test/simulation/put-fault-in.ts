import { registerHooks } from "node:module";

import { compositionFaults } from "./composition-faults.ts";
import type { DeliberateFault } from "./deliberate-faults.ts";
import { putBackFaults } from "./put-back-faults.ts";
import { requestFaults } from "./request-faults.ts";
import { rotatorFaults } from "./rotator-faults.ts";
import { storeFaults } from "./store-faults.ts";

/** Every deliberate fault, in the order of the documentation. */
export const deliberateFaults: readonly DeliberateFault[] = [
  ...rotatorFaults,
  ...requestFaults,
  ...storeFaults,
  ...putBackFaults,
  ...compositionFaults,
];

/**
 * From now on this thread loads the program with that fault in it. Nothing on disk changes.
 * @throws Error where there is no such fault, and, when the file is loaded, where the place is not found
 */
export function putFaultIn(name: string, faults: readonly DeliberateFault[] = deliberateFaults): void {
  const fault = faults.find((candidate) => candidate.name === name);
  if (fault === undefined)
    throw new Error(`There is no fault ${name}. There are: ${faults.map((one) => one.name).join(", ")}`);
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const patches = fault.patches.filter(({ file }) => url.endsWith(`/src/${file}`));
      if (patches.length === 0) return loaded;
      let text = textOf(loaded.source);
      for (const { from, to, file } of patches) {
        // A fault that is not put in would be one that is never found.
        if (text.split(from).length !== 2)
          throw new Error(
            `The fault ${name} has no place in src/${file} any more, or more than one: ${from}`,
          );
        text = text.replace(from, () => to);
      }
      return { ...loaded, source: text };
    },
  });
}

function textOf(source: string | ArrayBuffer | NodeJS.TypedArray | undefined | null): string {
  if (typeof source === "string") return source;
  return source === undefined || source === null ? "" : new TextDecoder().decode(source);
}
