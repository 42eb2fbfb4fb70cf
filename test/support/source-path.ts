import { fileURLToPath } from "node:url";

/** Path of a file of this repository, given from its root. */
export function sourceOf(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
