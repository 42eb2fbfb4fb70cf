import type { RenewalEvent } from "../renewal/types.ts";
import type { Log } from "./log.ts";

/** What others did to the token's record: audit lines, like all that is told of a renewal. */
export function writeRecordEvent(
  log: Log,
  event: Extract<RenewalEvent, { readonly type: "record-put-back" | "elsewhere-changed" }>,
): void {
  if (event.type === "record-put-back") {
    const { generation, id, lastWriter, wasGone } = event;
    log.write(
      "warn",
      wasGone
        ? "The record had been taken away from the store. The token that lives was written back; see who removes it."
        : "Another record had been put in the place of ours. The token that lives was written back; see who writes there.",
      { generation, token_id: id, last_writer: lastWriter, audit: true },
    );
    return;
  }
  const { reason } = event;
  if (reason === undefined)
    log.write("info", "The record in the store is this side's own again.", { audit: true });
  else
    log.write("warn", "The record in the store is another side's: nothing is issued by it.", {
      reason,
      audit: true,
    });
}
