import { statusPage } from "../../src/admin/status-page.ts";
import type { FullReport } from "../../src/admin/status.ts";
import { createRecent } from "../../src/observe/recent.ts";

/** When the pages of the tests are looked at. */
const pageTime = Date.parse("2026-11-30T12:00:00Z");

/** The status page of a sidecar that has done nothing yet. */
export function pageOf(report: FullReport): string {
  return statusPage(report, createRecent({ now: () => pageTime, monotonic: () => 0 }).report(), pageTime);
}
