import { readFileSync } from "node:fs";

/**
 * This program's version, from its package.json, which is as far from the source as from the built file.
 * Read at once: node:fs/promises loads fifteen modules, and every health check would pay for them.
 */
export function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const manifest: unknown = JSON.parse(text);
  if (
    typeof manifest === "object" &&
    manifest !== null &&
    "version" in manifest &&
    typeof manifest.version === "string"
  ) {
    return manifest.version;
  }
  throw new TypeError("package.json names no version");
}
