import type { Latch } from "./readiness.ts";

/** A health check's reply, as plain text. */
export interface HealthAnswer {
  readonly status: 200 | 503;
  readonly body: string;
}

/**
 * `ok`, or the closed latches, one a line. With `verbose`, all of them, in the form of the
 * Kubernetes API server's own `/readyz?verbose`: `[+]name ok`, `[-]name: reason`. What does
 * not decide, and is closed, stands there as `[!]name: reason`: a mark that says neither
 * passed nor failed, and the last line and the status are as if it were open.
 * @param check the name that stands in the verbose form's last line
 */
export function healthAnswer(check: string, latches: readonly Latch[], verbose: boolean): HealthAnswer {
  const ready = latches.every((latch) => latch.advisory || !latch.closed);
  const lines = latches.flatMap((latch) => {
    if (!latch.closed) return verbose ? [`[+]${latch.name} ok`] : [];
    const line = `${latch.name}: ${oneLine(latch.reason)}`;
    if (verbose) return [`${latch.advisory ? "[!]" : "[-]"}${line}`];
    return latch.advisory ? [] : [line];
  });
  if (verbose) lines.push(`${check} check ${ready ? "passed" : "failed"}`);
  else if (ready) lines.push("ok");
  return { status: ready ? 200 : 503, body: `${lines.join("\n")}\n` };
}

function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ");
}
